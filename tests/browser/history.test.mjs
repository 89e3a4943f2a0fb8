// The history, a delivery, replays, events, and the box that finds.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { complain, look, signedIn, startBrowser, startHost, startReceiver, until } from "./harness.mjs";

let host, receiver, browser;
const space = "acme";
const call = (method, path, body, key) => host.call(method, `/v1/spaces/${space}/${path}`, body, key);
const subscribe = (name, members = {}) => {
  const url = `${receiver.url}/${encodeURIComponent(name)}`;
  return call("POST", "subscriptions", { name, url, event_types: ["*"], retry: { schedule_s: [] }, ...members });
};
const post = (type, data, members = {}) => call("POST", "events", { type, data, ...members });
const remove = (subscription) => call("DELETE", `subscriptions/${subscription.id}`);
const states = async (subscription, state) =>
  (await call("GET", `deliveries?subscription=${subscription.id}&state=${state}&limit=200`)).data.length;

before(async () => {
  [host, receiver, browser] = await Promise.all([startHost(), startReceiver(), startBrowser()]);
  await host.call("POST", "/v1/spaces", { id: space, name: "Acme" });
});
after(async () => {
  await browser.close();
  receiver.stop();
  await host.stop();
});

test("an empty space says what will be in its history and its events", async () => {
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/${space}/history`);
  await page.getByRole("heading", { name: "Nothing was sent yet" }).waitFor();
  await look(page, "history-empty");
  await page.goto(`${host.base}/s/${space}/events`);
  await page.getByRole("heading", { name: "No event has come in yet" }).waitFor();
  await look(page, "events-empty");
  complain(page);
});

test("whoever breaks a receiver finds out why, mends it, and resends all that failed", async () => {
  const subscription = await subscribe("Deals to 株式会社");
  receiver.respond = () => [500, JSON.stringify({ error: "the table deals is locked", at: 12.5 })];
  for (let n = 0; n < 4; n += 1) await post("deal.won", { n, value: 12.5 });
  await until("all fail", async () => (await states(subscription, "failed")) === 4);

  const page = await signedIn(browser, host);
  await page.getByRole("link", { name: "History" }).click();
  await page.getByRole("link", { name: "Failed", exact: true }).click();
  await look(page, "history-failed");
  await page.locator("tbody").getByRole("link", { name: "deal.won" }).first().click();
  await page.getByText("Rejected with 500").waitFor();
  await page.getByText("the table deals is locked").first().waitFor();
  await look(page, "delivery-failed");

  receiver.respond = () => 200;
  receiver.requests.length = 0;
  await page.getByRole("link", { name: "All that failed like this" }).click();
  await page.waitForURL(/status=500/);
  assert.equal(await page.locator("tbody tr").count(), 4);
  await page.getByText("Resend all that failed since…").click();
  await page.getByRole("button", { name: "Resend all failed" }).click();
  await page.waitForURL(/\/replays\/sub_/);
  await page.locator(".state.done").waitFor();
  await page.getByText("4 queued again").waitFor();
  await look(page, "replay");
  await until("all are delivered", async () => (await states(subscription, "delivered")) === 4);
  assert.equal(receiver.requests.length, 4);
  await page.getByRole("link", { name: "Replays" }).click();
  await page.getByRole("cell", { name: "Failed deliveries, again" }).waitFor();
  await look(page, "replays");
  complain(page);
  await remove(subscription);
});

test("chosen rows are resent with a progress that can be stopped, and so are all that match", async () => {
  const subscription = await subscribe("Many");
  receiver.respond = () => 503;
  for (let n = 0; n < 60; n += 1) await post("lead.created", { n });
  await until("all fail", async () => (await states(subscription, "failed")) === 60, 60);
  receiver.respond = () => 200;

  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/${space}/history?state=failed&subscription=many`);
  await page.getByRole("checkbox", { name: /^lead.created/ }).first().check();
  await page.getByRole("checkbox", { name: /^lead.created/ }).nth(2).click({ modifiers: ["Shift"] });
  await page.getByText("3 chosen").waitFor();
  await look(page, "history-chosen");
  await page.getByRole("button", { name: "Resend with the current plugin" }).click();
  await page.getByText("3 sent again").waitFor();
  await page.getByRole("link", { name: "Show them as they are now" }).click();
  await until("three are delivered", async () => (await states(subscription, "delivered")) === 3);

  await page.getByRole("checkbox", { name: "All that are shown" }).check();
  await page.getByText("50 chosen").waitFor();
  await page.getByRole("button", { name: "Choose all that match, on all pages" }).click();
  // The host is slow, so that there is time to stop.
  await page.route("**/resend", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    await route.continue();
  });
  await page.getByRole("button", { name: "Resend as it was" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resend" }).click();
  await page.getByText(/^[1-9] done/).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText(/sent again, then stopped/).waitFor();
  await page.unroute("**/resend");
  assert((await states(subscription, "failed")) > 0);

  await page.goto(`${host.base}/s/${space}/history?state=failed&subscription=${subscription.id}`);
  await page.getByRole("checkbox", { name: "All that are shown" }).check();
  const every = page.getByRole("button", { name: "Choose all that match, on all pages" });
  if (await every.isVisible()) await every.click();
  await page.getByRole("button", { name: "Resend with the current plugin" }).click();
  const dialog = page.getByRole("dialog").getByRole("button", { name: "Resend" });
  await Promise.race([dialog.click(), page.getByText(/sent again/).last().waitFor()]);
  await until("all are delivered", async () => (await states(subscription, "delivered")) === 60);
  complain(page);
  await remove(subscription);
});

test("filters stand in the address, and wrong ones say what is right", async () => {
  const subscription = await subscribe("Filtered");
  await subscribe("Filtered twice");
  receiver.respond = ({ body }) => (body.includes("teapot") ? 418 : 200);
  await post("tea.made", { what: "teapot" });
  await post("tea.made", { what: "cup" });
  await until("one fails", async () => (await states(subscription, "failed")) === 1);
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/${space}/history`);
  await page.getByLabel("Event type").fill("tea.*");
  await page.getByLabel("Subscription").fill("filtered");
  await page.getByText("More filters").click();
  await page.getByLabel("Response", { exact: true }).fill("4xx");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("heading", { name: "Which subscription?" }).waitFor();
  await look(page, "history-which");
  await page.getByRole("link", { name: "Filtered", exact: true }).click();
  await page.waitForURL(/status=4xx/);
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.getByText("the receiver answered 418").waitFor();
  await look(page, "history-filtered");

  await page.getByLabel("Since, UTC", { exact: true }).fill("2020-01-01T00:00:00");
  await page.getByLabel("Until, UTC", { exact: true }).fill("2020-01-02T00:00:00");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("heading", { name: "No delivery matches these filters" }).waitFor();
  assert.match(page.url(), /since=2020-01-01T00%3A00&/);
  assert.match(await page.getByLabel("Since, UTC", { exact: true }).inputValue(), /^2020-01-01T00:00/);

  await page.goto(`${host.base}/s/${space}/history?since=yesterday`);
  await page.getByRole("alert").getByText("since").waitFor();
  await page.goto(`${host.base}/s/${space}/history?status=500&fault=dns`);
  await page.getByRole("alert").getByText("fault").waitFor();
  complain(page);
  for (const { id } of (await call("GET", "subscriptions?q=Filtered")).data) await remove({ id });
});

test("a delivery is followed from retrying to delivered, in the words of its profile", async () => {
  receiver.respond = () => [503, "try later"];
  const profile = { profile: "leadsquared", retry: { schedule_s: [1, 600] }, pause_after_failures: null };
  const subscription = await subscribe("Lead capture", profile);
  await post("lead.created", { value: 1 });
  const [delivery] = await until("it is tried", async () => {
    const { data } = await call("GET", `deliveries?subscription=${subscription.id}`);
    return data[0]?.attempt_count > 0 && data;
  });
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/${space}/deliveries/${delivery.id}`);
  await page.locator(".head .state.retrying", { hasText: "In Queue, retrying" }).waitFor();
  await page.getByText("Attempt 3").waitFor();
  await look(page, "delivery-retrying");
  await page.locator("#attempt-1 > summary").click();
  receiver.respond = () => 200;
  await page.getByRole("button", { name: "Resend as it was" }).click();
  await page.getByText("byte for byte as it was").waitFor();
  await page.locator(".head .state.delivered", { hasText: "Success" }).waitFor();
  await page.getByText("Accepted with 200").waitFor();
  complain(page);

  receiver.respond = () => 503;
  await post("lead.created", { value: 2 });
  const [other] = await until("the other is tried", async () => {
    const { data } = await call("GET", `deliveries?subscription=${subscription.id}&state=pending`);
    return data[0]?.attempt_count > 0 && data;
  });
  await page.goto(`${host.base}/s/${space}/deliveries/${other.id}`);
  await page.getByRole("button", { name: "Cancel delivery" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel delivery" }).click();
  await page.locator(".head .state.cancelled").waitFor();
  complain(page);
  await remove(subscription);
});

test("what was sent is shown, downloaded and signed again byte for byte", async () => {
  receiver.respond = () => 200;
  const subscription = await subscribe("Exact");
  const text = `{"type":"deal.won","data":{"value":12.50,"big":12345678901234567890123,"it's":"„Ünïcode“ <b>'"}}`;
  const headers = { authorization: `Bearer ${host.key}`, "content-type": "application/json" };
  await fetch(`${host.base}/v1/spaces/${space}/events`, { method: "POST", headers, body: text });
  await until("it is delivered", async () => (await states(subscription, "delivered")) === 1);
  const { data } = await call("GET", `deliveries?subscription=${subscription.id}`);
  const sent = receiver.requests.find((request) => request.headers["webhook-id"] === data[0].id);

  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/${space}/deliveries/${data[0].id}`);
  const body = page.getByLabel("Body sent at attempt 1", { exact: true });
  assert.match(await body.textContent(), /"value": 12.50,\n\s+"big": 12345678901234567890123,/);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download the exact bytes" }).click();
  assert.equal((await readFile(await (await download).path())).toString(), sent.body);

  await page.getByRole("button", { name: "Copy as curl" }).click();
  const line = page.getByLabel("Command line");
  const command = await until("the request is signed", async () => (await line.textContent()).startsWith("curl") && line.textContent());
  await look(page, "delivery-curl");
  receiver.requests.length = 0;
  await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, no_proxy: "*" } });
  assert.equal(receiver.requests[0].body, sent.body);
  assert.equal(receiver.requests[0].headers["webhook-id"], data[0].id);
  assert(receiver.requests[0].headers["webhook-signature"]);
  complain(page);
  await remove(subscription);
});

test("an event shows which subscriptions matched and why the others did not", async () => {
  receiver.respond = () => 200;
  const large = await subscribe("Large deals", { condition: "event.data.value > 1000" });
  const small = await subscribe("Small deals", { condition: "event.data.value < 1000" });
  const leads = await subscribe("Leads", { event_types: ["lead.*"] });
  await post("deal.lost", { value: 12.5, name: "Ünïcode 株式会社", previous: { a: [1, 2, {}] } }, { id: "crm:4711" });
  await until("it is delivered", async () => (await states(small, "delivered")) === 1);
  const page = await signedIn(browser, host);
  await page.goto(`${host.base}/s/${space}/events`);
  await look(page, "events");
  await page.getByRole("link", { name: "deal.lost" }).first().click();
  await page.waitForURL(/events\/crm:4711/);
  const row = (name) => page.locator("tbody tr", { hasText: name }).last();
  assert.match(await row("Large deals").textContent(), /condition is false.*event\.data\.value.*12\.5/s);
  assert.match(await row("Leads").textContent(), /other event types/);
  assert.match(await row("Small deals").textContent(), /yes/);
  await look(page, "event");
  await row("Small deals").getByRole("link", { name: "delivery" }).click();
  await page.getByText("Accepted with 200").waitFor();
  complain(page);
  for (const subscription of [large, small, leads]) await remove(subscription);
});

test("the box leads to the only hit, lists several, and says what it finds", async () => {
  const subscription = await subscribe("Zapier sheets");
  const other = await subscribe("Zapier mails");
  await post("deal.won", { value: 1 }, { id: "producer-1" });
  await until("it is delivered", async () => (await states(subscription, "delivered")) === 1);
  const [delivery] = (await call("GET", `deliveries?subscription=${subscription.id}`)).data;
  const page = await signedIn(browser, host);
  const find = async (text) => {
    await page.keyboard.press("/");
    await page.keyboard.type(text);
    await page.keyboard.press("Enter");
  };
  await find("producer-1");
  await page.waitForURL(/\/events\/producer-1$/);
  await find(delivery.id);
  await page.waitForURL(new RegExp(`/deliveries/${delivery.id}$`));
  await find("zapier");
  await page.getByRole("heading", { name: "“zapier”" }).waitFor();
  await page.getByRole("link", { name: "Zapier mails" }).waitFor();
  await look(page, "find-several");
  await find("nothing like it");
  await page.getByText("Nothing in this space has this id or name").waitFor();
  await look(page, "find-none");
  await host.call("POST", "/v1/spaces", { id: "other", name: "Other" });
  await page.goto(`${host.base}/s/other/find?q=${delivery.id}`);
  await page.getByText("Nothing in this space has this id or name").waitFor();
  const response = await page.goto(`${host.base}/s/other/deliveries/${delivery.id}`);
  assert.equal(response.status(), 404);
  complain(page);
  for (const each of [subscription, other]) await remove(each);
});

test("a key that reads sees everything and can change nothing", async () => {
  const subscription = await subscribe("Read only");
  receiver.respond = () => 500;
  await post("deal.won", { value: 1 });
  await until("it fails", async () => (await states(subscription, "failed")) === 1);
  const [delivery] = (await call("GET", `deliveries?subscription=${subscription.id}`)).data;
  const { key } = await host.call("POST", "/v1/keys", { name: "Support", role: "read", space });
  const page = await signedIn(browser, host, key);
  for (const path of [`history?subscription=${subscription.id}`, `deliveries/${delivery.id}`, `replays/${subscription.id}`]) {
    await page.goto(`${host.base}/s/${space}/${path}`);
    await page.locator("main").getByRole("link").first().waitFor();
    for (const name of [/Resend/, /Cancel/, /curl$/, /Stop/, /Send events/]) {
      const shown = page.locator("main button", { hasText: name }).and(page.locator(":not([data-copy])"));
      assert.equal(await shown.count(), 0, `${path}: ${name}`);
    }
    assert.equal(await page.locator("main input[type=checkbox]").count(), 0);
  }
  const status = await page.evaluate(
    (path) => fetch(path, { method: "POST" }).then((response) => response.status),
    `/v1/spaces/${space}/deliveries/${delivery.id}/resend`,
  );
  assert.equal(status, 403);
  complain(page);
  await remove(subscription);
});
