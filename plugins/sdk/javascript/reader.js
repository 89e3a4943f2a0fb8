// Reads JSON and remembers the order of its keys.

/** The keys in the order in which they were written, of those objects whose keys JavaScript orders otherwise. */
export const written = new WeakMap();

/** Reads a JSON text; `number` makes a value of a number's text. */
export function read(text, number) {
  // The reader takes JSON for granted; this finds what is wrong, in words that people know.
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

  /** What comes after space, not yet taken. */
  next() {
    while (this.text.charCodeAt(this.at) <= 32) this.at++;
    return this.text[this.at];
  }

  /** What comes after a `{`, `[` or comma; nothing at the end. */
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
      // Assigning to __proto__ would not make a member of it.
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
    this.at = pattern.lastIndex;
    return /^[-\d]/.test(word) ? this.number(word) : JSON.parse(word);
  }
}
