import assert from "node:assert/strict";
import { test } from "node:test";

import { tryOut } from "../sdk/testing.js";
import * as plugin from "./plugin.js";

test("a deal becomes one flat object", () => {
  const { deliver, log } = tryOut(plugin, { events: [{ id: "evt_7", data: '{"deal":{"value":12.50,"tags":["a"]}}' }] });

  assert.deepEqual(deliver.headers, [["x-source", "livespace"]]);
  const { deal__value, deal__tags__0 } = JSON.parse(deliver.body.json);
  assert.deepEqual([deal__value, deal__tags__0], [12.5, "a"]);
  assert.match(deliver.body.json, /"deal__value":12\.50/);
  assert.deepEqual(log, [{ level: "info", message: "deal evt_7" }]);
});

test("several events are refused", () => {
  const { failed } = tryOut(plugin, { events: [{}, {}] });

  assert.match(failed.reason, /takes one event, the delivery has 2/);
});
