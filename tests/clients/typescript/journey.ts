// Runs one event through a host, with the types that openapi-typescript generates from openapi.json and the client of
// openapi-fetch.
//
// `.ci/openapi` generates the types as `schema.d.ts` next to this file, checks it with `tsc --strict`, and runs it with
// HOOKMILL_URL and HOOKMILL_KEY (an admin key) set.

import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type Problem = Schemas["Problem"];

const DELIVERED_WITHIN_MS = 30_000;

const space = "typescript";
const client = createClient<paths>({
  baseUrl: required("HOOKMILL_URL"),
  headers: { authorization: `Bearer ${required("HOOKMILL_KEY")}` },
});

function required(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

/** The data of an answer, which must not be a problem. */
function ok<T>(answer: { data?: T; error?: Problem }): T {
  assert(answer.data !== undefined, JSON.stringify(answer.error));
  return answer.data;
}

/** The problem of an answer, which must be one. */
function problem(answer: { error?: Problem }): Problem {
  assert(answer.error, "not a problem");
  return answer.error;
}

async function journey(receiver: string, received: Received[]): Promise<void> {
  const missing = problem(await client.GET("/v1/spaces/{space}", { params: { path: { space } } }));
  assert.deepEqual([missing.status, missing.code], [404, "not_found" satisfies Problem["code"]]);

  let one: Schemas["Space"] = ok(await client.POST("/v1/spaces", { body: { id: space, name: "TypeScript" } }));
  assert.deepEqual([one.id, one.name], [space, "TypeScript"]);
  const inSpace = { params: { path: { space } } };
  one = ok(
    await client.PATCH("/v1/spaces/{space}", {
      ...inSpace,
      body: { name: "TypeScript client", administrators: ["ada@acme.example"] },
    }),
  );
  assert.deepEqual([one.name, one.administrators], ["TypeScript client", ["ada@acme.example"]]);
  // A patch keeps omitted members; null restores the default.
  one = ok(await client.PATCH("/v1/spaces/{space}", { ...inSpace, body: { name: null } }));
  assert.deepEqual([one.name, one.administrators], [space, ["ada@acme.example"]]);

  const type: Schemas["EventType"] = ok(
    await client.PUT("/v1/spaces/{space}/event-types/{event_type}", {
      params: { path: { space, event_type: "lead.created" } },
      body: { description: "A lead came in.", example: { name: "Anna" } },
    }),
  );
  assert.equal(type.name, "lead.created");

  const wanted: Schemas["SubscriptionInput"] = {
    name: "Journey",
    url: `${receiver}/first`,
    event_types: ["lead.*"],
    condition: "event.data.value > 1000",
    method: "POST",
    content_type: "application/json",
    signing: { scheme: "hmac", header: "X-Signature", prefix: "sha512=", algorithm: "sha512" },
  };
  let subscription: Schemas["Subscription"] = ok(
    await client.POST("/v1/spaces/{space}/subscriptions", { ...inSpace, body: wanted }),
  );
  assert.equal(subscription.state, "active" satisfies Schemas["SubscriptionState"]);
  assert.equal(subscription.pause_reason, null);
  assert.equal(subscription.method, "POST" satisfies Schemas["Method"]);
  // The scheme is the discriminator.
  assert(subscription.signing.scheme === "hmac");
  assert.equal(subscription.signing.algorithm, "sha512" satisfies Schemas["HmacAlgorithm"]);

  const itself = { params: { path: { space, subscription: subscription.id } } };
  const patch: Schemas["SubscriptionPatch"] = {
    url: `${receiver}/second`,
    condition: null,
    signing: { scheme: "standard", algorithm: "hmac-sha256" },
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  };
  subscription = ok(
    await client.PATCH("/v1/spaces/{space}/subscriptions/{subscription}", { ...itself, body: patch }),
  );
  assert.equal(subscription.url, `${receiver}/second`);
  assert.equal(subscription.condition, null);
  assert.deepEqual(subscription.event_types, ["lead.*"]);
  assert(subscription.signing.scheme === "standard");
  assert.equal(subscription.signing.algorithm, "hmac-sha256" satisfies Schemas["StandardAlgorithm"]);

  const refused = problem(
    await client.PATCH("/v1/spaces/{space}/subscriptions/{subscription}", {
      ...itself,
      body: { condition: "event.data.value >" },
    }),
  );
  assert.deepEqual([refused.code, refused.field], ["field_invalid" satisfies Problem["code"], "/condition"]);

  const page: Schemas["SubscriptionPage"] = ok(
    await client.GET("/v1/spaces/{space}/subscriptions", { params: { path: { space }, query: { limit: 1 } } }),
  );
  assert.deepEqual(page.data.map(({ id }) => id), [subscription.id]);
  assert.equal(page.next_cursor, null);

  const data = { name: "Anna", value: 12.5 };
  const accepted = ok(
    await client.POST("/v1/spaces/{space}/events", { ...inSpace, body: { type: "lead.created", data, id: "lead-1" } }),
  );
  assert("id" in accepted);
  const receipt: Schemas["Receipt"] = accepted;
  assert.deepEqual([receipt.id, receipt.deliveries], ["lead-1", 1]);
  const event: Schemas["EventDetails"] = ok(
    await client.GET("/v1/spaces/{space}/events/{event}", { params: { path: { space, event: "lead-1" } } }),
  );
  assert.deepEqual(event.data, data);

  const deliveries: Schemas["DeliveryPage"] = ok(
    await client.GET("/v1/spaces/{space}/deliveries", {
      params: { path: { space }, query: { event: "lead-1", subscription: subscription.id } },
    }),
  );
  assert.equal(deliveries.data.length, 1);
  const delivery = await delivered(deliveries.data[0]!.id);
  assert.deepEqual([delivery.event_ids, delivery.attempt_count], [["lead-1"], 1]);
  assert.equal(delivery.attempts.length, 1);
  const attempt: Schemas["Attempt"] = delivery.attempts[0]!;
  assert.equal(attempt.outcome, "succeeded" satisfies Schemas["Outcome"]);
  assert.equal(attempt.fault, null);
  assert.equal(attempt.request?.url, subscription.url);
  assert.equal(attempt.answer?.status, 204);

  assert.equal(received.length, 1);
  assert.equal(received[0]!.headers["webhook-id"], delivery.id);
  assert.match(received[0]!.body, /Anna/);
}

/** Reads a delivery until it is delivered. */
async function delivered(id: string): Promise<Schemas["DeliveryDetails"]> {
  const until = performance.now() + DELIVERED_WITHIN_MS;
  for (;;) {
    const path = { space, delivery: id };
    const delivery = ok(await client.GET("/v1/spaces/{space}/deliveries/{delivery}", { params: { path } }));
    const state: Schemas["DeliveryState"] = delivery.state;
    if (state === "delivered") {
      return delivery;
    }
    assert(state === "pending" && performance.now() < until, JSON.stringify(delivery));
    await sleep(100);
  }
}

type Received = { headers: IncomingHttpHeaders; body: string };

const received: Received[] = [];
const server = createServer(async (request, response) => {
  received.push({ headers: request.headers, body: await text(request) });
  response.writeHead(204).end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
try {
  await journey(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, received);
} finally {
  server.close();
  server.closeAllConnections();
}
console.log("the TypeScript client: created, changed, posted, delivered");
