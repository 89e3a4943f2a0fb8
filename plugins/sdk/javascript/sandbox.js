// Time and chance in a plugin: both follow from the delivery, so that each attempt makes the same request.

const RealDate = Date;
const realRandom = Math.random;

/** Stands the clock still at the first event's time and makes the delivery's id the seed. Gives back what undoes it. */
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

/** Numbers from 0 to 1: mulberry32, which starts from the seed once it is asked for one. */
function seeded(seed) {
  let state;
  return () => {
    state = ((state ?? hash(seed)) + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a of a text's characters. */
function hash(text) {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash;
}
