// Serializes JSON with keys in written order.

import { ExactNumber, entries } from "./json.js";

/** Serializes without spaces. Values that JSON does not have are left out of objects, and are null elsewhere. */
export function write(value) {
  return written(value) ?? "null";
}

function written(value) {
  switch (typeof value) {
    case "object":
      return value === null ? "null" : composed(value);
    case "number":
      if (!Number.isFinite(value)) throw new RangeError(`${value} is not a JSON number`);
      return JSON.stringify(value);
    case "bigint":
      return String(value);
    default:
      return JSON.stringify(value);
  }
}

function composed(value) {
  if (value instanceof ExactNumber) return String(value);
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value.toJSON === "function") return write(value.toJSON());
  if (JSON.isRawJSON?.(value)) return value.rawJSON;
  const members = [];
  for (const [key, member] of value instanceof Map ? value : entries(value)) {
    const text = written(member);
    if (text !== undefined) members.push(`${JSON.stringify(String(key))}:${text}`);
  }
  return `{${members.join()}}`;
}
