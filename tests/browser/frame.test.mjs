// Signing in, the layout, the overview.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complain, look, signedIn, startBrowser, startHost, startReceiver, until } from "./harness.mjs";

let host, receiver, browser;
before(async () => {
  [host, receiver, browser] = await Promise.all([startHost(), startReceiver(), startBrowser()]);
});
after(async () => {
  await browser.close();
  receiver.stop();
  await host.stop();
});

test("a wrong key is refused with what is right, and a right one leads to the first space", async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(host.base);
  await look(page, "sign-in");
  await page.getByLabel("API key").fill("hmk_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This is not a key of this host").waitFor();
  await page.getByLabel("API key").fill(host.key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "No spaces yet" }).waitFor();
  await look(page, "spaces-empty");
  await page.getByLabel("Id").fill("acme");
  await page.getByLabel("Name").fill("Acme – Ünïcode Ltd. 株式会社");
  await page.getByRole("button", { name: "Create space" }).click();
  await page.getByRole("heading", { name: "Acme – Ünïcode Ltd. 株式会社" }).waitFor();
  await look(page, "overview-empty");
});

test("the overview shows what is delivered and what fails without being reloaded", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme`);
  for (const [name, path] of [["Works", "ok"], ["Broken", "broken"]]) {
    const url = receiver.url.replace("hook", path);
    const retry = { schedule_s: [] };
    await host.call("POST", "/v1/spaces/acme/subscriptions", { name, url, event_types: ["*"], retry });
  }
  receiver.respond = ({ url }) => (url === "/broken" ? 500 : 200);
  for (let n = 0; n < 5; n += 1) await host.call("POST", "/v1/spaces/acme/events", { type: "deal.won", data: { n } });
  await page.locator(".figure.bad .value", { hasText: "5" }).waitFor();
  await page.getByRole("link", { name: "Broken" }).first().waitFor();
  await page.reload();
  await look(page, "overview");
  complain(page);
});

test("a slash goes to the box that finds", async () => {
  const page = await signedIn(browser, host);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.name), "q");
});

test("signing out ends the session, and another site's form does nothing", async () => {
  const page = await signedIn(browser, host);
  const [cookie] = await page.context().cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
  const asked = (headers) =>
    fetch(`${host.base}/v1/spaces/acme/subscriptions`, { headers: { cookie: `${cookie.name}=${cookie.value}`, ...headers } });
  assert.equal((await asked({})).status, 200);
  const foreign = await fetch(`${host.base}/v1/spaces/acme/event-types/x.y`, {
    method: "PUT",
    headers: { cookie: `${cookie.name}=${cookie.value}`, origin: "https://example.com", "content-type": "application/json" },
    body: "{}",
  });
  assert.equal(foreign.status, 403);
  await page.locator("details.menu summary").click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await until("the session ends", async () => (await asked({})).status === 401);
});
