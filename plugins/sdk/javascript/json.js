// JSON whose numbers and keys stay as they were written.
//
// JSON.parse makes 12.5 of 12.50, Infinity of 1e400 and 12345678901234567000 of 12345678901234567890, and it moves keys
// such as "10" to the front of their object. What is here does neither.

import { read, written } from "./reader.js";
import { write } from "./writer.js";

/** A number that JavaScript would print otherwise than it was written. It prints as it was written. */
export class ExactNumber {
  #text;

  constructor(text) {
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) throw new SyntaxError(`${text} is no JSON number`);
    this.#text = String(text);
  }

  toString() {
    return this.#text;
  }

  valueOf() {
    return Number(this.#text);
  }

  // For JSON.stringify: plugins have rawJSON, and so has Node from version 21 on.
  toJSON() {
    if (JSON.rawJSON) return JSON.rawJSON(this.#text);
    throw new TypeError("this Node's JSON.stringify would change the number: use the SDK's stringify, or a newer Node");
  }
}

/** Whether it is an object of JSON: no list, no number, not null. */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** Like Object.entries, in the order in which `parse` found the keys. */
export function entries(object) {
  const order = written.get(object);
  if (!order) return Object.entries(object);
  const keys = [...new Set([...order, ...Object.keys(object)])].filter((key) => Object.hasOwn(object, key));
  return keys.map((key) => [key, object[key]]);
}

/** Like JSON.parse; a number that JavaScript would print otherwise becomes an ExactNumber. */
export function parse(text) {
  // The reader is right for all JSON, but takes four times as long as the engine.
  if (!JSON.rawJSON) return read(text, number);
  let unsure = false;
  const value = JSON.parse(text, function (key, value, { source }) {
    // Such a key may stand elsewhere in its object now.
    if (key >= "0" && key < ":" && !Array.isArray(this)) unsure = true;
    if (typeof value !== "number" || String(value) === source) return value;
    // QuickJS does not know the source of a member that its object has twice.
    if (source === undefined) unsure = true;
    return unsure ? value : new ExactNumber(source);
  });
  return unsure ? read(text, number) : value;
}

function number(source) {
  return String(Number(source)) === source ? Number(source) : new ExactNumber(source);
}

/** Like JSON.stringify without spaces; writes ExactNumbers, BigInts and Maps, and refuses NaN and Infinity. */
export function stringify(value) {
  if (!JSON.rawJSON) return write(value);
  let reordered = false;
  const text = JSON.stringify(value, (key, value) => {
    switch (typeof value) {
      case "number":
        if (!Number.isFinite(value)) throw new RangeError(`${value} is no JSON number`);
        return value;
      case "bigint":
        return JSON.rawJSON(String(value));
      case "object":
        if (written.has(value)) reordered = true;
        if (!(value instanceof Map)) return value;
        value.forEach((_, key) => (reordered ||= key >= "0" && key < ":"));
        return reordered ? null : Object.fromEntries(value);
      default:
        return value;
    }
  });
  return reordered ? write(value) : (text ?? "null");
}
