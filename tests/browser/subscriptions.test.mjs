// Subscriptions and workflows: making, testing, activating, changing and watching them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complain, look, signedIn, startBrowser, startHost, startReceiver } from "./harness.mjs";

let host, receiver, browser, page;
const pages = "/s/acme/subscriptions";
const DEAL = { deal: { id: "D-1", name: "CRM 株式会社", value: 12500.5, status: "won" } };
before(async () => {
  [host, receiver, browser] = await Promise.all([startHost(), startReceiver(), startBrowser()]);
  await host.call("POST", "/v1/spaces", { id: "acme", name: "Acme" });
  for (const type of ["deal.won", "deal.lost"]) {
    await host.call("PUT", `/v1/spaces/acme/event-types/${type}`, { description: "A deal.", example: DEAL });
  }
  page = await signedIn(browser, host);
});
after(async () => {
  await browser.close();
  receiver.stop();
  await host.stop();
});

const post = (type, data, more = {}) => host.call("POST", "/v1/spaces/acme/events", { type, data, ...more });
const subscribe = (body) => host.call("POST", "/v1/spaces/acme/subscriptions?allow_identical=true", { url: receiver.url, event_types: ["deal.won"], ...body });
const next = () => page.getByRole("button", { name: "Next" }).click();

test("a newcomer makes a Zapier subscription with its plugin, tests it and activates it", async () => {
  await post("deal.won", DEAL);
  await post("deal.lost", DEAL);
  await page.goto(host.base + pages);
  await page.getByRole("heading", { name: "No subscriptions yet" }).waitFor();
  await look(page, "subscriptions-empty");
  let steps = 0;
  const step = (action) => {
    steps += 1;
    return action;
  };
  await step(page.getByRole("link", { name: "Create the first subscription" }).click());
  await step(page.getByLabel("Zapier", { exact: true }).check());
  await page.getByText("Catch Hook", { exact: false }).first().waitFor();
  await step(page.getByLabel("URL", { exact: true }).fill(receiver.url));
  await step(page.getByRole("textbox", { name: "Name" }).fill("Won deals to Zapier"));
  await look(page, "subscription-new-connect");
  await step(next());
  await step(page.getByRole("button", { name: "deal.won" }).click());
  await page.getByText("1 of 2 match").waitFor();
  await step(page.getByLabel("Condition").pressSequentially("event.data.deal.val"));
  await page.getByRole("option", { name: "event.data.deal.value" }).waitFor();
  await look(page, "subscription-new-completion");
  await page.getByLabel("Condition").focus();
  await page.keyboard.type("u");
  await page.getByRole("option", { name: "event.data.deal.value" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type(" > 99999.0");
  await page.getByText("0 of 2 match").waitFor();
  await page.getByLabel("Condition").fill("event.data.deal.value >");
  await page.locator("#matches .problem").waitFor();
  await page.getByLabel("Condition").fill("event.data.deal.value > 1000.0");
  await page.getByText("1 of 2 match").waitFor();
  await look(page, "subscription-new-events");
  await step(next());
  assert.equal(await page.locator("#plugin").inputValue(), "zapier");
  await page.getByLabel("line_items").waitFor();
  await look(page, "subscription-new-shape");
  await step(next());
  await look(page, "subscription-new-policy");
  await step(next());
  await step(page.getByRole("button", { name: "Send a test" }).click());
  await page.locator("#result").getByText("The receiver responded with 200").waitFor();
  assert.equal(JSON.parse(receiver.requests.at(-1).body).data__deal__value, 12500.5);
  await look(page, "subscription-new-finish");
  await step(page.getByRole("button", { name: "Activate", exact: true }).click());
  await page.getByText("The subscription is active.").waitFor();
  assert(steps < 20, `${steps} clicks and fields`);
  await page.getByRole("link", { name: "Open the subscription" }).click();
  await page.getByRole("heading", { name: "Won deals to Zapier" }).waitFor();
  await post("deal.won", DEAL);
  await page.locator("#live tbody tr").nth(1).waitFor();
  await page.reload();
  await look(page, "subscription");
  await page.locator("#live tbody a").first().click();
  await page.waitForURL(/\/deliveries\/dlv_/);
  complain(page);
});

test("a subscription is paused, activated, tested, diagnosed, its secret rotated and itself deleted on its page", async () => {
  const { id } = await subscribe({ name: "Everything" });
  await page.goto(`${host.base}${pages}/${id}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused: somebody paused it.").waitFor();
  await page.getByRole("button", { name: "Activate", exact: true }).click();
  await page.getByText("The subscription is active.").waitFor();
  receiver.respond = () => [503, "down for maintenance"];
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.locator("#result").getByText("The receiver responded with 503").waitFor();
  receiver.respond = () => 200;
  await page.getByRole("button", { name: "Diagnose" }).click();
  await page.locator("#findings tbody tr").first().waitFor();
  await page.getByRole("button", { name: "Show the secret" }).click();
  const old = await page.locator("#secret code").first().textContent();
  await page.getByRole("button", { name: "Rotate the secret" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  await page.getByText("This is the new secret.").waitFor();
  const { secret } = await host.call("GET", `/v1/spaces/acme/subscriptions/${id}/secret`);
  assert.equal(await page.locator("#secret code").first().textContent(), secret);
  assert.notEqual(secret, old);
  await look(page, "subscription-secret");
  await page.reload();
  assert(!(await page.content()).includes(secret), "a page's source has the secret");
  await page.getByText("More", { exact: true }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("The subscription was deleted.").waitFor();
  complain(page);
});

test("an edit changes what was changed and nothing else, and a duplicate is a new subscription", async () => {
  const plugin = { name: "zapier", config: { line_items: ["data__deal__products"] } };
  const headers = [{ name: "x-key", value: "hidden", secret: true }];
  const trigger = { fields: ["deal.value"], status: { field: "deal.status", from: "open", to: "won" } };
  const { id } = await subscribe({ name: "Before", plugin, headers, trigger, condition: "event.data.deal.value > 1.50" });
  const before = await host.call("GET", `/v1/spaces/acme/subscriptions/${id}`);
  await page.goto(`${host.base}${pages}/${id}/edit`);
  const sent = page.waitForRequest((request) => request.method() === "PATCH");
  await page.getByRole("textbox", { name: "Name" }).fill("After");
  await look(page, "subscription-edit");
  await page.getByRole("button", { name: "Save changes" }).click();
  assert.equal((await sent).postData(), JSON.stringify({ name: "After" }));
  await page.getByRole("heading", { name: "After" }).waitFor();
  const after = await host.call("GET", `/v1/spaces/acme/subscriptions/${id}`);
  assert.deepEqual({ ...after, updated_at: 0 }, { ...before, name: "After", updated_at: 0 });

  await page.getByText("More", { exact: true }).click();
  await page.getByRole("link", { name: "Duplicate" }).click();
  await page.getByRole("button", { name: "Test and activate" }).click();
  await page.getByRole("button", { name: "Save as draft" }).click();
  const problem = page.locator("form > .problem");
  await problem.getByText("sends the same events").getByRole("link", { name: id }).waitFor();
  // A field triggers one subscription: the form names the other.
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByLabel("URL", { exact: true }).fill(`${receiver.url}/copy`);
  await page.getByRole("button", { name: "Test and activate" }).click();
  await page.getByRole("button", { name: "Save as draft" }).click();
  await problem.getByText("the field `deal.value` already triggers").getByRole("link", { name: id }).waitFor();
  await look(page, "subscription-conflict");
  await page.getByRole("button", { name: "Events" }).click();
  await page.getByLabel("Any of these fields changed").fill("deal.name");
  await page.getByRole("button", { name: "Test and activate" }).click();
  await page.getByRole("button", { name: "Save as draft" }).click();
  await page.getByRole("heading", { name: "Copy of After" }).waitFor();
  await page.getByText("A draft receives no events.").waitFor();

  await page.goto(`${host.base}/s/acme/workflows`);
  await page.getByText("or when deal.status goes from open to won").first().waitFor();
  assert.equal(await page.locator("tbody tr").count(), 2);
  await look(page, "workflows");
  complain(page);
});

test("n8n's test URL is warned of, and an invalid field is shown in its step", async () => {
  await page.goto(`${host.base}${pages}/new`);
  await page.getByLabel("URL", { exact: true }).fill("https://n8n.example.com/webhook-test/4711");
  await page.getByText("This is n8n's test URL").waitFor();
  assert(await page.getByLabel("n8n", { exact: true }).isChecked());
  await page.getByRole("textbox", { name: "Name" }).fill("Wrong");
  await page.getByRole("button", { name: "Policy" }).click();
  await page.getByLabel("Timeout, ms").fill("5");
  await page.getByRole("button", { name: "Test and activate" }).click();
  await page.getByRole("button", { name: "Save as draft" }).click();
  await page.locator("form > .problem").getByText("timeout_ms").waitFor();
  assert(await page.getByLabel("Timeout, ms").isVisible());
  complain(page);
});

test("the list is searched, filtered and sorted by its address, page by page", async () => {
  const url = `${receiver.url}/${"long/".repeat(60)}`;
  await subscribe({ name: "Ünïcode 日本語の名前 " + "long ".repeat(30), url });
  for (let n = 0; n < 60; n += 1) {
    await subscribe({ name: `Many ${String(n).padStart(3, "0")}`, url: `${receiver.url}/${n}`, state: n % 2 ? "draft" : "active" });
  }
  await page.goto(host.base + pages);
  assert.equal(await page.locator("tbody tr").count(), 50);
  await look(page, "subscriptions");
  await page.getByRole("link", { name: "Next page" }).click();
  await page.getByRole("link", { name: "First page" }).waitFor();
  await page.getByLabel("Name, URL or id").fill("MANY");
  await page.getByLabel("State").selectOption("draft");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/q=MANY&state=draft/);
  assert.equal(await page.locator("tbody tr").count(), 30);
  await page.getByRole("link", { name: "Name", exact: true }).click();
  await page.waitForURL(/sort=name/);
  assert.match(await page.locator("tbody tr").first().textContent(), /Many 001/);
  await page.getByRole("link", { name: "Name", exact: true }).click();
  await page.waitForURL(/sort=-name/);
  assert.match(await page.locator("tbody tr").first().textContent(), /Many 059/);
  await page.getByLabel("Name, URL or id").fill("no such name");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("heading", { name: "No subscription matches" }).waitFor();
  complain(page);
});

test("a key that reads sees everything and is offered no change", async () => {
  const { key } = await host.call("POST", "/v1/keys", { name: "Support", role: "read", space: "acme" });
  const reader = await signedIn(browser, host, key);
  await reader.goto(host.base + pages);
  await reader.locator("tbody a").first().click();
  await reader.getByRole("heading", { name: "What it sends" }).waitFor();
  assert.equal(await reader.locator("main form, main button:not([data-copy])").count(), 0);
  await reader.goto(`${host.base}${pages}/new`);
  await reader.getByRole("heading", { name: "Not permitted" }).waitFor();
  complain(reader);
});
