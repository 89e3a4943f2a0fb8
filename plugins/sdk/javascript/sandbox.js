// Time and random numbers in a plugin: both are derived from the delivery, so that each attempt gives the same request.

const RealDate = Date;
const realRandom = Math.random;

/** Stops the clock at the first event's time and seeds Math.random with the delivery's id; returns an undo function. */
export function still({ id, events }) {
  const now = RealDate.parse(events[0].occurredAt);
  globalThis.Date = new Proxy(RealDate, {
    construct: (date, given, target) => Reflect.construct(date, given.length > 0 ? given : [now], target),
    apply: () => String(new RealDate(now)),
    get: (date, name) => (name === "now" ? () => now : Reflect.get(date, name)),
  });
  Math.random = seeded(id);
  return () => {
    globalThis.Date = RealDate;
    Math.random = realRandom;
  };
}

/** Returns a generator of numbers from 0 to 1: mulberry32, seeded at the first call. */
function seeded(seed) {
  let state;
  return () => {
    state = ((state ?? hash(seed)) + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a over the characters of a string. */
function hash(text) {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash;
}
