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
