// Parses JSON and keeps the order of its keys.

/** The keys in written order, for objects whose keys JavaScript would order differently. */
export const written = new WeakMap();

/** Parses a JSON text; `number` converts a number's text to a value. */
export function read(text, number) {
  // The reader assumes valid JSON; this reports errors with the engine's familiar messages.
  JSON.parse(text);
  return new Reader(text, number).value();
}

class Reader {
  constructor(text, number) {
    this.text = text;
    this.number = number;
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

  /** Skips whitespace and returns the next character, without consuming it. */
  next() {
    while (this.text.charCodeAt(this.at) <= 32) this.at++;
    return this.text[this.at];
  }

  /** Consumes a comma or the end; returns whether another member or item follows. */
  more(end) {
    const next = this.next();
    this.at += next === "," || next === end ? 1 : 0;
    return next !== end;
  }

  object() {
    const object = {};
    const keys = [];
    this.at++;
    while (this.more("}")) {
      this.next();
      const key = this.string();
      this.next();
      this.at++;
      // Assigning to __proto__ would not create a member.
      Object.defineProperty(object, key, { value: this.value(), writable: true, enumerable: true, configurable: true });
      keys.push(key);
    }
    if (keys.some((key) => /^\d/.test(key))) written.set(object, keys);
    return object;
  }

  list() {
    const list = [];
    this.at++;
    while (this.more("]")) list.push(this.value());
    return list;
  }

  string() {
    const from = this.at;
    let end = from;
    do end = this.text.indexOf('"', end + 1);
    while (this.isEscaped(end));
    this.at = end + 1;
    return JSON.parse(this.text.slice(from, this.at));
  }

  /** Returns whether an odd number of backslashes precedes the position. */
  isEscaped(end) {
    let from = end;
    while (this.text[from - 1] === "\\") from--;
    return (end - from) % 2 === 1;
  }

  scalar() {
    const pattern = /[^\s,\]}]+/y;
    pattern.lastIndex = this.at;
    const [word] = pattern.exec(this.text);
    this.at = pattern.lastIndex;
    return /^[-\d]/.test(word) ? this.number(word) : JSON.parse(word);
  }
}
