// Runs a plugin's transform in a plain `node --test`: no component is built, no host is needed.

import { describe, transform } from "./call.js";
import { connect, stringify } from "./hookmill.js";

/**
 * Calls the plugin with a delivery of these events. An event's `data` is a value, or JSON text if it is a string.
 *
 * Returns `{deliver: {method, query, headers, body}}`, `{skip}` or `{failed: {reason, retry}}`, in the format of the
 * files in `golden/`, and the lines of the `log`. A secret's placeholder is `{{secret:name}}`.
 */
export function tryOut(plugin, { events, config = {}, attempt = 1, contentType = "application/json", secrets = [] }) {
  const lines = [];
  connect({
    write: (level, message) => lines.push({ level, message }),
    placeholder: (name) => {
      if (secrets.includes(name)) return `{{secret:${name}}}`;
      throw new Error(`the subscription has no secret \`${name}\``);
    },
  });
  const delivery = {
    id: "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E",
    attempt,
    space: "acme",
    subscription: { id: "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E", name: "Test", contentType, config: stringify(config) },
    events: events.map(event),
    extra: [],
  };
  describe(plugin);
  return { ...result(plugin, delivery), log: lines };
}

function event({ id = "evt_1", type = "deal.created", occurredAt = "2026-04-29T11:13:55.021Z", data = {} }) {
  return { id, kind: type, occurredAt, data: typeof data === "string" ? data : stringify(data) };
}

function result(plugin, delivery) {
  let outcome;
  try {
    outcome = transform(plugin, delivery);
  } catch (failed) {
    return { failed };
  }
  if (outcome.tag === "skip") return { skip: outcome.val };
  const { method, query, headers, body } = outcome.val;
  return { deliver: { method, query, headers, body: { [body.tag]: body.val } } };
}
