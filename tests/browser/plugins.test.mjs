// Plugins, the playground, and the settings.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { complain, look, signedIn, startBrowser, startHost, startReceiver, until } from "./harness.mjs";

const components = join(import.meta.dirname, "../../plugins/bundled/components");
let host, receiver, browser;
before(async () => {
  [host, receiver, browser] = await Promise.all([startHost(), startReceiver(), startBrowser()]);
  await host.call("POST", "/v1/spaces", { id: "acme", name: "Acme" });
});
after(async () => {
  await browser.close();
  receiver.stop();
  await host.stop();
});

/** Returns a bundled component as another version: all but 1.0.0 have another message for an empty text. */
async function version(name, number) {
  const bytes = await readFile(join(components, `${name}.wasm`), "latin1");
  if (number === "1.0.0") return Buffer.from(bytes, "latin1");
  const other = bytes.replace(`${name}1.0.0`, `${name}${number}`).replace("rendered an empty message", "rendered an EMPTY message");
  return Buffer.from(other, "latin1");
}

async function upload(bytes) {
  const response = await fetch(`${host.base}/v1/spaces/acme/plugins`, {
    method: "POST",
    headers: { authorization: `Bearer ${host.key}`, "content-type": "application/wasm" },
    body: bytes,
  });
  assert(response.ok, await response.text());
}

// A host that has just started compiles its plugins first.
const compiled = { timeout: 180_000 };

const agree = (page) => page.getByRole("dialog").locator("button.danger").click();

test("a component is uploaded, and one that is refused shows why", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/plugins`);
  await page.getByRole("link", { name: "zapier" }).waitFor();
  await look(page, "plugins");
  const input = page.locator("input[type=file]");
  await input.setInputFiles({ name: "wrong.wasm", mimeType: "application/wasm", buffer: Buffer.from("not a component") });
  await page.locator(".verdict .problem", { hasText: "wrong.wasm was refused" }).waitFor();
  await look(page, "plugins-refused");
  await input.setInputFiles(join(components, "slack.wasm"));
  await page.locator(".verdict .notice", { hasText: "Accepted: slack" }).waitFor();
  await page.locator(".verdict a").click();
  await page.getByRole("heading", { name: /^slack/ }).waitFor();
  await look(page, "plugin");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("was deleted.").waitFor();
  complain(page);
});

test("a component is dropped", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/plugins`);
  const bytes = [...(await readFile(join(components, "make.wasm")))];
  const data = await page.evaluateHandle((values) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(values)], "make.wasm", { type: "application/wasm" }));
    return transfer;
  }, bytes);
  await page.dispatchEvent(".drop", "drop", { dataTransfer: data });
  await page.locator(".verdict .notice", { hasText: "Accepted: make" }).waitFor();
  complain(page);
});

test("a subscription's plugin is shadowed, promoted, compared and rolled back", async () => {
  const page = await signedIn(browser, host);
  for (const number of ["1.0.0", "1.0.1"]) await upload(await version("slack", number));
  const { id } = await host.call("POST", "/v1/spaces/acme/subscriptions", {
    name: "Sales channel – Vertriebskanal 営業",
    url: receiver.url,
    event_types: ["deal.won"],
    plugin: { name: "slack", version: "1.0.0", config: { text: "Won {{ data.n }}" } },
  });
  const event = (n) => host.call("POST", "/v1/spaces/acme/events", { type: "deal.won", data: { n } });
  await page.goto(`${host.base}/s/acme/plugins/slack?version=1.0.1`);
  await page.getByRole("button", { name: "Shadow 1.0.1" }).click();
  await page.getByRole("heading", { name: /^Shadow 1.0.1 of Sales channel/ }).waitFor();
  await page.getByRole("button", { name: "Stop shadow" }).click();
  await page.getByText("was stopped.").waitFor();
  const at = `/v1/spaces/acme/subscriptions/${id}`;
  await host.call("PUT", `${at}/shadow`, { version: "1.0.1", config: { text: "WON {{ data.n }}" } });
  await event(1);
  await until("the shadow runs", async () => (await host.call("GET", `${at}/shadow`)).runs === 1);
  await page.goto(`${host.base}/s/acme/plugins/slack?version=1.0.1`);
  await page.getByRole("table").getByRole("link", { name: "1.0.1", exact: true }).click();
  await page.locator(".diff ins", { hasText: "WON 1" }).waitFor();
  await page.locator(".diff del", { hasText: "Won 1" }).waitFor();
  await look(page, "plugin-shadow");
  await page.getByRole("button", { name: "Promote 1.0.1" }).click();
  await agree(page);
  await page.getByText("now runs 1.0.1").waitFor();
  await page.getByRole("button", { name: "Roll back to slack 1.0.0" }).click();
  await agree(page);
  await page.getByText("was rolled back to slack 1.0.0").waitFor();
  await page.getByRole("link", { name: "Compare" }).click();
  await page.getByText("1 event: 1 the same").waitFor();
  await page.getByRole("button", { name: "Use 1.0.1" }).click();
  await agree(page);
  await page.getByText("now runs 1.0.1").waitFor();
  complain(page);
});

test("the playground shows the request as one types, and an error at its line", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/playground?plugin=jq`);
  const result = page.locator("#result");
  await result.getByText("POST https://receiver.example/").waitFor(compiled);
  await page.locator("#choice [name=from]").selectOption("typed");
  await page.locator("#data").fill('{"n": 12.50, "name": "Ünïcode 株式会社"}');
  await page.locator("#program").fill("# A comment\n{n: .data.n, frob: frobnicate}");
  await page.locator("#program-problem", { hasText: "Line 2: " }).waitFor();
  assert.equal(await page.locator(".gutter .bad").first().textContent(), "2\n");
  await look(page, "playground-error");
  await page.locator("#program").fill("{n: .data.n}");
  await result.getByText('"n": 12.50').waitFor();
  await page.locator("#data").fill('{\n  "n": 1,\n}');
  await page.locator("#data-problem", { hasText: "Line 3" }).waitFor();
  await page.locator("#data").fill('{"n": 3}');
  await result.getByText('"n": 3').waitFor();
  await look(page, "playground");
  const href = await page.getByRole("link", { name: "Make this a subscription" }).getAttribute("href");
  assert.match(href, /^\/s\/acme\/subscriptions\/new\?plugin=jq&version=1.0.0&config=/);
  complain(page);
});

test("JavaScript and templates are typed, and a read key is told what it needs", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/playground?plugin=javascript&from=typed`);
  await page.locator("#result").getByText('"type": "lead.created"').waitFor(compiled);
  await page.locator("#program").fill("function transform(delivery) {\n  return nothing.at.all;\n}");
  await page.locator("#program-problem", { hasText: "Line 2: " }).waitFor();
  await page.locator("#choice [name=plugin]").selectOption("template");
  await page.waitForURL(/plugin=template/);
  await page.locator("#result").getByText('"name": "Ada Lovelace"').waitFor(compiled);
  const { key } = await host.call("POST", "/v1/keys", { name: "Reader", role: "read", space: "acme" });
  const reader = await signedIn(browser, host, key);
  await reader.goto(`${host.base}/s/acme/playground`);
  await reader.getByText("needs a key with the role").waitFor();
  for (const path of ["plugins", "plugins/slack", "settings", "settings/event-types", "settings/limits"]) {
    await reader.goto(`${host.base}/s/acme/${path}`);
    await reader.locator("h1").waitFor();
    assert.equal(await reader.locator("main form").filter({ has: reader.getByRole("button") }).count(), 0, path);
  }
  complain(page);
  complain(reader);
});

test("two versions stand side by side, and a golden pair is saved", async () => {
  const page = await signedIn(browser, host);
  for (const number of ["1.0.0", "1.0.1"]) await upload(await version("slack", number));
  await page.goto(`${host.base}/s/acme/playground?plugin=slack&version=1.0.0&from=typed`);
  await page.locator("#config").fill('{"text": "{{ data.name }}"}');
  await page.locator("#result").getByText('"text": "Ada Lovelace"').waitFor(compiled);
  const saved = [];
  page.on("download", (file) => saved.push(file));
  await page.getByRole("button", { name: "Save as a golden pair" }).click();
  await until("both files are saved", () => saved.length === 2);
  assert.deepEqual(saved.map((file) => file.suggestedFilename()), ["lead-created.delivery.json", "lead-created.request.json"]);
  const [delivery, request] = await Promise.all(saved.map(async (file) => JSON.parse(await readFile(await file.path(), "utf8"))));
  assert.equal(delivery.events[0].data.name, "Ada Lovelace");
  const body = { json: '{"text":"Ada Lovelace"}' };
  assert.deepEqual(request, { deliver: { method: null, query: [], headers: [], body } });
  await page.locator("#choice [name=other]").selectOption("1.0.1");
  await page.getByText("No differences.").waitFor();
  await page.locator("#config").fill('{"text": "{% if false %}never{% endif %}"}');
  await page.locator(".sides ins", { hasText: "EMPTY" }).waitFor();
  await look(page, "playground-compare");
  complain(page);
});

test("keys are created, shown once and deleted", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/settings/keys`);
  await page.locator("main [name=name]").fill("CRM backend");
  await page.locator("main [name=role]").selectOption("produce");
  await page.getByRole("button", { name: "Create key" }).click();
  const key = await page.locator(".notice code").textContent();
  assert.match(key, /^hmk_/);
  const row = page.getByRole("row", { name: /CRM backend/ });
  await row.waitFor();
  await look(page, "settings-keys");
  await page.reload();
  assert(!(await page.content()).includes(key), "the key is shown again");
  await row.getByRole("button", { name: "Delete" }).click();
  await agree(page);
  await page.getByText("The key CRM backend was deleted.").waitFor();
  complain(page);
});

test("a catalog is loaded, and an event type is added, changed and deleted", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/settings/event-types`);
  await look(page, "settings-event-types-empty");
  await page.locator("main [name=profile]").selectOption("livespace");
  await page.getByRole("button", { name: "Load" }).click();
  await page.getByRole("table").waitFor();
  await look(page, "settings-event-types");
  await page.locator("main [name=name]").fill("a.first");
  await page.getByLabel("Example of the data, JSON").fill('{"n": 12.50,}');
  await page.getByRole("button", { name: "Save event type" }).click();
  await page.getByText("example is not JSON").waitFor();
  await page.getByLabel("Example of the data, JSON").fill('{"n": 12.50}');
  await page.getByRole("button", { name: "Save event type" }).click();
  const row = page.getByRole("row", { name: /a\.first/ });
  await row.getByRole("link", { name: "Edit" }).click();
  await page.getByRole("heading", { name: "Edit a.first" }).waitFor();
  assert.equal(await page.getByLabel("Example of the data, JSON").inputValue(), '{\n  "n": 12.50\n}');
  await page.getByLabel("Meaning").fill("The first");
  await page.getByRole("button", { name: "Save event type" }).click();
  await page.getByText("The first", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Delete" }).click();
  await agree(page);
  await page.getByText("a.first was deleted.").waitFor();
  complain(page);
});

test("retention, addresses, indexed paths, signers and quotas are changed", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/settings`);
  await page.getByLabel("Days").fill("12");
  await page.getByRole("button", { name: "Save retention" }).click();
  await page.getByText("Saved.").waitFor();
  await page.getByLabel("E-mail addresses").fill("ada@example.com\nno address");
  await page.getByRole("button", { name: "Save addresses" }).click();
  await page.locator(".problem", { hasText: "administrators/1" }).waitFor();
  await page.getByLabel("E-mail addresses").fill("ada@example.com\n");
  await page.getByRole("button", { name: "Save addresses" }).click();
  await until("it is saved", async () => (await host.call("GET", "/v1/spaces/acme")).administrators.length === 1);
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.locator(".problem", { hasText: "mail server" }).waitFor();
  await page.getByLabel("Paths of events' data").fill("deal.id");
  await page.getByRole("button", { name: "Save paths" }).click();
  await until("it is saved", async () => (await host.call("GET", "/v1/spaces/acme")).indexed_paths[0] === "deal.id");
  await look(page, "settings");
  assert.equal((await host.call("GET", "/v1/spaces/acme")).keep_days, 12);
  await page.goto(`${host.base}/s/acme/settings/plugin-keys`);
  await page.getByLabel("Ed25519 public keys").fill("whpk_wrong");
  await page.getByRole("button", { name: "Save keys" }).click();
  await page.locator(".problem", { hasText: "plugin_keys/0" }).waitFor();
  await look(page, "settings-plugin-keys");
  await page.goto(`${host.base}/s/acme/settings/limits`);
  await page.getByText("127.0.0.0/8").waitFor();
  await look(page, "settings-limits");
  await page.getByLabel("New limit: Subscriptions").fill("7");
  await page.getByRole("button", { name: "Save quotas" }).click();
  await until("it is saved", async () => (await host.call("GET", "/v1/spaces/acme/quotas")).subscriptions.limit === 7);
  complain(page);
});

test("what holds a value is erased, and the progress is seen", async () => {
  await host.call("POST", "/v1/spaces/acme/events", { type: "lead.created", data: { lead: { email: "ada@example.com" } } });
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/acme/settings/erasures`);
  await look(page, "settings-erasures-empty");
  await page.getByLabel("Path in events' data").fill("lead.email");
  await page.getByLabel("Value there").fill("ada@example.com");
  await page.getByRole("button", { name: "Erase" }).click();
  await agree(page);
  await page.getByText("The erasure began.").waitFor();
  await page.locator(".state.done").waitFor();
  assert.equal(await page.locator("tbody tr td").nth(3).textContent(), "1");
  await look(page, "settings-erasures");
  complain(page);
});
