// What the tests of the pages share: a host, a receiver and a browser.
//
// Each test file starts the real program (HOOKMILL_BIN) on a new data directory, a receiver on this machine, and Debian's
// Chromium. `page.goto(host.base + …)` shows a page signed in. `look` takes a screenshot into HOOKMILL_SCREENSHOTS, if that is
// set, in light and dark and at the width of a phone, and checks each with axe-core.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const modules = createRequire(join(process.env.HOOKMILL_NODE_MODULES, "x.js"));
const { chromium } = modules("playwright-core");
const axe = await readFile(modules.resolve("axe-core/axe.min.js"), "utf8");

/** Starts the program; returns its address, an admin's key, and a client of its API. */
export async function startHost(...args) {
  const dir = await mkdtemp(join(tmpdir(), "hookmill-pages-"));
  if (process.env.HOOKMILL_COMPILED) {
    // Compiled plugins are shared with the other tests, so that this host compiles nothing behind them.
    const config = join(dir, "hookmill.toml");
    await writeFile(config, `compiled_dir = ${JSON.stringify(process.env.HOOKMILL_COMPILED)}\n`);
    args = ["--config", config, ...args];
  }
  const child = spawn(
    process.env.HOOKMILL_BIN,
    ["serve", "--listen", "127.0.0.1:0", "--allow-network", "127.0.0.0/8", "--data-dir", dir, ...args],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const host = { dir };
  for await (const line of createInterface({ input: child.stdout })) {
    host.base ??= line.match(/^Hookmill listens on (http:\S+)/)?.[1];
    host.key = line.match(/^Admin key .*: (hmk_\S+)/)?.[1];
    if (host.key) break;
  }
  assert(host.base && host.key, "the host did not start");
  host.call = async (method, path, body, key = host.key) => {
    const response = await fetch(host.base + path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    assert(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
  host.stop = async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
    await rm(dir, { recursive: true, force: true });
  };
  return host;
}

/** Starts a receiver; `respond(request)` returns a status or [status, body]. It keeps what it got in `requests`. */
export async function startReceiver(respond = () => 200) {
  const receiver = { requests: [], respond };
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      const got = { method, url, headers, body: Buffer.concat(chunks).toString() };
      receiver.requests.push(got);
      const [status, body = ""] = [receiver.respond(got)].flat();
      response.writeHead(status).end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  receiver.url = `http://127.0.0.1:${server.address().port}/hook`;
  receiver.stop = () => server.close() && server.closeAllConnections();
  return receiver;
}

/** Starts the browser. */
export async function startBrowser() {
  return chromium.launch({ executablePath: process.env.HOOKMILL_CHROMIUM, args: ["--no-sandbox"] });
}

/** Returns a page of a new context, signed in with this key. What a page logs as an error fails the test: see `complain`. */
export async function signedIn(browser, host, key = host.key, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    // A status of the API that a page handles is logged by the browser, too.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) page.complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(host.base) && !request.url().startsWith("data:")) {
      page.complaints.push(`a request to another origin: ${request.url()}`);
    }
  });
  await page.goto(`${host.base}/sign-in`);
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  return page;
}

/** Fails if the page logged an error, broke its content security policy, or asked another origin. */
export function complain(page) {
  assert.deepEqual(page.complaints, []);
}

/** Looks at the page as it is: axe-core finds no violation of WCAG 2.2 A and AA, in light, dark and at 360 px, where nothing is wider
 * than the screen. Keeps a screenshot of each. */
export async function look(page, name) {
  const size = page.viewportSize();
  for (const [kind, colorScheme, width] of [["light", "light", 1280], ["dark", "dark", 1280], ["phone", "light", 360]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    const folder = process.env.HOOKMILL_SCREENSHOTS;
    if (folder) await page.screenshot({ path: join(folder, `${name}-${kind}.png`), fullPage: true });
    await page.evaluate(axe);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const { violations } = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), tags);
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
    assert.deepEqual(found, [], `${name}, ${kind}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert(wide <= 0, `${name}, ${kind}: ${wide} px wider than the screen`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
}

/** Waits until a condition holds, which is looked at every 50 ms. */
export async function until(what, condition, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const result = await condition();
    if (result) return result;
    assert(Date.now() < end, `${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
