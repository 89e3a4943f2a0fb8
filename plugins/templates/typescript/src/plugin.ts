// A Livespace deal as the flat JSON object that Zapier expects: {"id":…,"type":…,"occurred_at":…,"deal__name":…}.

import { ExactNumber, Failure, entries, isObject, log } from "../sdk/hookmill.js";
import type { Delivery, Description, Json, Outcome } from "../sdk/hookmill.js";

interface Config {
  source?: string;
}

export function describe(): Description {
  return {
    name: "my-plugin",
    version: "0.1.0",
    summary: "A Livespace deal as the flat JSON object that Zapier expects",
    contentTypes: ["application/json"],
    configSchema: {
      type: "object",
      properties: { source: { type: "string", default: "livespace" } },
      additionalProperties: false,
    },
  };
}

export function transform({ events }: Delivery, config: Config): Outcome {
  const [event] = events;
  if (event === undefined || events.length !== 1) {
    const many = `this plugin takes one event, the delivery has ${events.length}`;
    throw new Failure(`${many}: turn off the subscription's batching`);
  }
  const { id, type, occurredAt, data } = event;
  if (!isObject(data)) throw new Failure("the event's data is not a JSON object");

  // A Map, since an object would move a key such as "10" to the front.
  const flat = new Map<string, Json>(Object.entries({ id, type, occurred_at: occurredAt }));
  for (const [key, value] of entries(data)) flatten(key, value, flat);
  log.info(`deal ${id}`);
  return { headers: { "x-source": config.source ?? "livespace" }, body: { json: flat } };
}

function flatten(key: string, value: Json, flat: Map<string, Json>): void {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) {
    flat.set(key, value);
    return;
  }
  const members = entries<Json>(value);
  if (members.length === 0) flat.set(key, null);
  for (const [name, member] of members) flatten(`${key}__${name}`, member, flat);
}
