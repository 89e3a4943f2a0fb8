// Tests the SDK in Node. The golden pairs of this folder and of ../templates test it in a component.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ExactNumber, Failure, entries, isObject } from "../../sdk/javascript/hookmill.js";
import { log, parse, secret, stringify } from "../../sdk/javascript/hookmill.js";
import { tryOut } from "../../sdk/javascript/testing.js";

const plugin = (transform) => ({
  describe: () => ({ name: "tried", version: "1.0.0", summary: "Tried", contentTypes: ["application/json"] }),
  transform,
});

const given = (data) => ({ events: [{ data }] });

test("parsing and serializing preserve the text", () => {
  for (const text of [
    "null",
    '"a"',
    "12.50",
    '{"b":1,"10":{"2":[],"1":{}},"a":[1.0,-0,2E5,1e400,12345678901234567890],"__proto__":7,"":"x\\"\\\\"}',
    '[{"a":[[],{}]},true,false,"\\n\\u0001ł😀","\\\\"]',
  ]) {
    assert.equal(stringify(parse(text)), text);
    assert.equal(stringify(parse(` \n${text}\t`)), text);
  }
});

test("whitespace, escapes and repeated keys are parsed as by JSON.parse", () => {
  const text = ' { "a\\u0062" : [ 1 , "\\/\\\\" , { } ] , "a" : 1 , "a" : [ ] } ';
  assert.deepEqual(parse(text), JSON.parse(text));
});

test("a number that JavaScript prints as it was written is a number", () => {
  assert.deepEqual(parse("[1,-2.5,1e+21]"), [1, -2.5, 1e21]);
});

test("any other number is exact: it prints as written and calculates as a JavaScript number", () => {
  const price = parse("12.50");
  assert(price instanceof ExactNumber);
  assert.equal(`${price}`, "12.50");
  assert.equal(price * 2, 25);
  assert(price > 12 && price < 13);
  assert.throws(() => new ExactNumber("1.5.0"), /1\.5\.0 is not a JSON number/);
});

test("keys that look like numbers keep their position, and new ones come last", () => {
  const object = parse('{"b":1,"10":2,"2":3}');
  delete object.b;
  object.c = 4;
  assert.deepEqual(entries(object), [["10", 2], ["2", 3], ["c", 4]]);
  assert.equal(stringify(object), '{"10":2,"2":3,"c":4}');
});

test("maps and big integers are serialized, NaN is refused", () => {
  assert.equal(stringify(new Map([["b", 1], ["1", 2n ** 70n]])), '{"b":1,"1":1180591620717411303424}');
  assert.equal(stringify({ none: undefined, list: [undefined] }), '{"list":[null]}');
  assert.equal(stringify([new Date(0)]), '["1970-01-01T00:00:00.000Z"]');
  assert.throws(() => stringify({ a: [Number.NaN] }), /NaN is not a JSON number/);
});

test("text that is not JSON throws the same error as JSON.parse", () => {
  assert.throws(() => parse('{"a":}'), SyntaxError);
});

test("only an object is an object", () => {
  assert.deepEqual([{}, [], null, "a", 1, parse("1.0")].map(isObject), [true, false, false, false, false, false]);
});

test("an error is a failure with its location, and is logged with its whole stack", () => {
  const { failed, log } = tryOut(plugin(function broken() { throw new TypeError("no name"); }), given());
  assert.match(failed.reason, /^TypeError: no name \((Object\.)?broken, .*test\/sdk\.test\.js:\d+\)$/);
  assert.equal(failed.retry, false);
  assert.equal(log[0].level, "error");
  assert.match(log[0].message, /TypeError: no name\n(.|\n)*sdk\.test\.js/);
});

test("a failure is passed on unchanged, and is not logged", () => {
  const thrown = tryOut(plugin(() => { throw new Failure("later", { retry: true }); }), given());
  assert.deepEqual(thrown, { failed: { reason: "later", retry: true }, log: [] });
});

test("a thrown value that is not an error is reported, too", () => {
  assert.equal(tryOut(plugin(() => { throw "enough"; }), given()).failed.reason, "thrown: enough");
  assert.equal(tryOut(plugin(() => { throw { code: 7 }; }), given()).failed.reason, 'thrown: {"code":7}');
});

test("an invalid result is a failure that says what is expected", () => {
  const reason = (result) => tryOut(plugin(() => result), given()).failed.reason;
  assert.match(reason(undefined), /transform returned undefined, expected/);
  assert.match(reason("no"), /transform returned a string, expected/);
  assert.match(reason({}), /transform returned no body/);
  assert.match(reason({ body: { json: 1, text: "a" } }), /got json and text/);
  assert.match(reason({ body: { text: null } }), /the text must be a string, got null/);
  assert.match(reason({ headers: { "x-a": {} }, body: { text: "" } }), /header x-a must be a string, got an object/);
  const binary = { contentType: "a/b", bytes: [1, 999] };
  assert.match(reason({ body: { binary } }), /must be a Uint8Array or a string, got an array/);
  assert.match(reason(Promise.resolve({ skip: "x" })), /a plugin cannot await/);
});

test("all kinds of bodies and fields are converted to the contract's", () => {
  const body = (body) => tryOut(plugin(() => ({ body })), given()).deliver.body;
  assert.deepEqual(body({ json: [1] }), { json: "[1]" });
  assert.deepEqual(body({ form: [["a", 1], ["a", true]] }), { form: [["a", "1"], ["a", "true"]] });
  assert.deepEqual(body({ form: parse('{"b":12.50,"1":2}') }), { form: [["b", "12.50"], ["1", "2"]] });
  assert.deepEqual(body({ text: "half \ud83d" }), { text: "half \ufffd" });
  const { binary } = body({ binary: { contentType: "application/xml", bytes: "<ł/>" } });
  assert.deepEqual([...binary.bytes], [...Buffer.from("<ł/>")]);
});

test("a secret is a placeholder, and a missing secret is a failure", () => {
  const sealed = plugin(() => ({ body: { text: `Bearer ${secret("erp")}` } }));
  assert.deepEqual(tryOut(sealed, { ...given(), secrets: ["erp"] }).deliver.body, { text: "Bearer {{secret:erp}}" });
  assert.equal(tryOut(sealed, given()).failed.reason, "the subscription has no secret `erp`");
});

test("the clock is stopped at the event's time, and random numbers are the same for the same delivery", () => {
  const chance = plugin(() => ({ body: { json: [new Date(), Date.now(), Date().slice(0, 15), Math.random()] } }));
  const first = tryOut(chance, given());
  assert.match(first.deliver.body.json, /^\["2026-04-29T11:13:55\.021Z",1777461235021,"Wed Apr 29 2026",0\.\d+\]$/);
  assert.deepEqual(tryOut(chance, given()), first);
  assert(Math.abs(Date.now() - new Date().getTime()) < 1000);
  assert(Date.now() > 1777461235021);
});

test("lines are logged at their level", () => {
  const chatty = plugin(() => { log.debug(1); log.warn("two"); return { skip: "enough" }; });
  const lines = [{ level: "debug", message: "1" }, { level: "warn", message: "two" }];
  assert.deepEqual(tryOut(chatty, given()), { skip: "enough", log: lines });
});

test("an incomplete description is logged, since it cannot fail", () => {
  const nameless = { describe: () => ({ version: "1.0.0" }), transform: () => ({ skip: "" }) };
  assert.throws(() => tryOut(nameless, given()), /the name must be a string, got undefined/);
});
