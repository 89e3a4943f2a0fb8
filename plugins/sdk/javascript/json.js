// JSON whose numbers and keys stay as they were written.
//
// JSON.parse turns 12.50 into 12.5, 1e400 into Infinity and 12345678901234567890 into 12345678901234567000, and it
// moves keys such as "10" to the front of their object. The functions of this module do neither.

import { read, written } from "./reader.js";
import { write } from "./writer.js";

/** A number that JavaScript would print differently from how it was written. It prints as written. */
export class ExactNumber {
  #text;

  constructor(text) {
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) throw new SyntaxError(`${text} is not a JSON number`);
    this.#text = String(text);
  }

  toString() {
    return this.#text;
  }

  valueOf() {
    return Number(this.#text);
  }

  // For JSON.stringify: QuickJS has rawJSON, and so does Node from version 21 on.
  toJSON() {
    if (JSON.rawJSON) return JSON.rawJSON(this.#text);
    throw new TypeError("before Node 21, JSON.stringify would change the number: use the SDK's stringify");
  }
}

/** Returns whether the value is a JSON object: not an array, not a number, not null. */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** Like Object.entries, but in the order in which the keys were written in the text given to `parse`. */
export function entries(object) {
  const order = written.get(object);
  if (!order) return Object.entries(object);
  const keys = [...new Set([...order, ...Object.keys(object)])].filter((key) => Object.hasOwn(object, key));
  return keys.map((key) => [key, object[key]]);
}

/** Like JSON.parse; a number that JavaScript would print differently becomes an ExactNumber. */
export function parse(text) {
  // The reader handles all JSON correctly, but takes four times as long as the engine.
  if (!JSON.rawJSON) return read(text, number);
  let unsure = false;
  const value = JSON.parse(text, function (key, value, { source }) {
    // The engine may have moved such a key within its object.
    if (key >= "0" && key < ":" && !Array.isArray(this)) unsure = true;
    if (typeof value !== "number" || String(value) === source) return value;
    // QuickJS does not provide the source of a duplicate member.
    if (source === undefined) unsure = true;
    return unsure ? value : new ExactNumber(source);
  });
  return unsure ? read(text, number) : value;
}

function number(source) {
  return String(Number(source)) === source ? Number(source) : new ExactNumber(source);
}

/** Like JSON.stringify without spaces; supports ExactNumbers, BigInts and Maps, and throws on NaN and Infinity. */
export function stringify(value) {
  if (!JSON.rawJSON) return write(value);
  let reordered = false;
  const text = JSON.stringify(value, (key, value) => {
    switch (typeof value) {
      case "number":
        if (!Number.isFinite(value)) throw new RangeError(`${value} is not a JSON number`);
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
