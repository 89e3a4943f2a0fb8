// A Livespace deal as the flat JSON object that Zapier likes: {"id":…,"type":…,"occurred_at":…,"deal__name":…}.

import { ExactNumber, Failure, entries, isObject, log } from "../sdk/hookmill.js";

export function describe() {
  return {
    name: "my-plugin",
    version: "0.1.0",
    summary: "A Livespace deal as the flat JSON object that Zapier likes",
    contentTypes: ["application/json"],
    configSchema: {
      type: "object",
      properties: { source: { type: "string", default: "livespace" } },
      additionalProperties: false,
    },
  };
}

export function transform({ events }, config) {
  if (events.length !== 1) {
    const many = `this plugin takes one event and there are ${events.length}`;
    throw new Failure(`${many}: switch the subscription's batching off`);
  }
  const [{ id, type, occurredAt, data }] = events;
  if (!isObject(data)) throw new Failure("the event's data is no JSON object");

  // A Map, since an object would put a key such as "10" before all others.
  const flat = new Map(Object.entries({ id, type, occurred_at: occurredAt }));
  for (const [key, value] of entries(data)) flatten(key, value, flat);
  log.info(`deal ${id}`);
  return { headers: { "x-source": config.source ?? "livespace" }, body: { json: flat } };
}

function flatten(key, value, flat) {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) {
    flat.set(key, value);
    return;
  }
  const members = entries(value);
  if (members.length === 0) flat.set(key, null);
  for (const [name, member] of members) flatten(`${key}__${name}`, member, flat);
}
