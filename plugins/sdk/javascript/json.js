// JSON whose numbers stay as they were written.
//
// JSON.parse makes 12.5 of 12.50, Infinity of 1e400 and 12345678901234567000 of 12345678901234567890, and it moves keys
// such as "10" to the front of their object. What is here does neither.

// The order of keys as they were written, of those objects whose keys JavaScript orders otherwise.
const written = new WeakMap();

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

  // For those who call JSON.stringify: plugins have rawJSON, and so has Node from version 22 on.
  toJSON() {
    if (JSON.rawJSON) return JSON.rawJSON(this.#text);
    throw new TypeError("this Node's JSON.stringify would change the number: use the SDK's stringify, or Node 22");
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
  const source = String(text);
  // The reader below takes JSON for granted; this finds what is wrong, in words that people know.
  const plain = JSON.parse(source);
  return typeof plain === "string" ? plain : new Reader(source).value();
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  value() {
    switch (this.next()) {
      case "{":
        return this.object();
      case "[":
        return this.list();
      case '"':
        return this.string();
      default:
        return this.scalar();
    }
  }

  /** What comes after space, not yet taken. */
  next() {
    while (this.text.charCodeAt(this.at) <= 32) this.at++;
    return this.text[this.at];
  }

  object() {
    const object = {};
    const keys = [];
    let reordered = false;
    this.at++;
    while (this.next() !== "}") {
      if (this.text[this.at] === ",") this.at++;
      this.next();
      const key = this.string();
      this.next();
      this.at++;
      const value = this.value();
      // Assigning to __proto__ would not make a member of it.
      if (key === "__proto__") Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      else object[key] = value;
      keys.push(key);
      reordered ||= isIndex(key);
    }
    this.at++;
    if (reordered) written.set(object, keys);
    return object;
  }

  list() {
    const list = [];
    this.at++;
    while (this.next() !== "]") {
      if (this.text[this.at] === ",") this.at++;
      list.push(this.value());
    }
    this.at++;
    return list;
  }

  string() {
    const from = this.at;
    let end = this.text.indexOf('"', from + 1);
    while (this.isEscaped(end)) end = this.text.indexOf('"', end + 1);
    this.at = end + 1;
    const inside = this.text.slice(from + 1, end);
    return inside.includes("\\") ? JSON.parse(this.text.slice(from, end + 1)) : inside;
  }

  /** Whether an odd number of backslashes stands before it. */
  isEscaped(end) {
    let from = end;
    while (this.text[from - 1] === "\\") from--;
    return (end - from) % 2 === 1;
  }

  scalar() {
    const pattern = /[^\s,\]}]+/y;
    pattern.lastIndex = this.at;
    const [word] = pattern.exec(this.text);
    this.at += word.length;
    switch (word) {
      case "null":
        return null;
      case "true":
        return true;
      case "false":
        return false;
      default:
        return String(Number(word)) === word ? Number(word) : new ExactNumber(word);
    }
  }
}

/** Whether JavaScript puts such keys before all others. */
function isIndex(key) {
  const first = key.charCodeAt(0);
  return first >= 48 && first <= 57 && /^(0|[1-9]\d*)$/.test(key);
}

/** Like JSON.stringify without spaces; writes ExactNumbers, BigInts and Maps, and refuses NaN and Infinity. */
export function stringify(value) {
  return write(value) ?? "null";
}

function write(value) {
  switch (typeof value) {
    case "object":
      return value === null ? "null" : composed(value);
    case "number":
      if (!Number.isFinite(value)) throw new RangeError(`${value} is no JSON number`);
      return String(value);
    case "bigint":
      return String(value);
    default:
      return JSON.stringify(value);
  }
}

function composed(value) {
  if (value instanceof ExactNumber) return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => write(item) ?? "null").join()}]`;
  if (typeof value.toJSON === "function") return write(value.toJSON());
  if (JSON.isRawJSON?.(value)) return value.rawJSON;
  const members = [];
  for (const [key, member] of value instanceof Map ? value : entries(value)) {
    const text = write(member);
    if (text !== undefined) members.push(`${JSON.stringify(String(key))}:${text}`);
  }
  return `{${members.join()}}`;
}
