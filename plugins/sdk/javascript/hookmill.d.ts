// The contract (wit/plugin.wit) as JavaScript has it.

/** JSON as `parse` reads it. */
export type Json = null | boolean | Num | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };
/** A number; an `ExactNumber` if JavaScript would print it otherwise than it was written. `Number(x)` is one of either. */
export type Num = number | ExactNumber;

/** Something that happened, as the producer posted it. */
export interface Event {
  /** Unique in its space. */
  id: string;
  /** For example `deal.created`. */
  type: string;
  /** RFC 3339 in UTC with at most six decimals. */
  occurredAt: string;
  data: Json;
}

/** One attempt at one delivery. */
export interface Delivery {
  /** The same on every attempt; the receiver sees it as `webhook-id`. */
  id: string;
  /** 1 for the first attempt. */
  attempt: number;
  space: string;
  subscription: {
    id: string;
    /** The name that its owner gave it. */
    name: string;
    /** What it asks for: `application/json`, `application/x-www-form-urlencoded` or `text/plain`. */
    contentType: string;
  };
  /** At least one, oldest first; more than one only if the subscription gathers them into batches. */
  events: Event[];
  /** Facts that later versions of the contract may add. */
  extra: [name: string, value: string][];
}

type Value = string | number | boolean | bigint | ExactNumber;
/** Names with values, in order: an object, or anything that gives pairs if a name repeats. */
export type Fields = { [name: string]: Value } | Iterable<readonly [name: string, value: Value]>;

/** The request's body: one of these. */
export type Body =
  /** Sent as `application/json`, written by `stringify`. */
  | { json: unknown }
  /** Sent as `application/x-www-form-urlencoded`, encoded by the host. */
  | { form: Fields }
  /** Sent as `text/plain; charset=utf-8`. */
  | { text: string }
  /** Bytes with a content type of your own; a text is sent as UTF-8. */
  | { binary: { contentType: string; bytes: Uint8Array | string } };

/** The request that shall be sent. Scheme, host and path are the subscription's. */
export interface Request {
  /** `POST`, `PUT`, `PATCH` or `GET`; the subscription's own method if absent. */
  method?: string;
  /** Appended to the URL's query, encoded by the host. */
  query?: Fields;
  /** Beside those that the host sets. */
  headers?: Fields;
  body: Body;
  skip?: undefined;
}

/** Nothing is sent; the delivery ends as skipped, with this reason. */
export interface Skip {
  skip: string;
}

export type Outcome = Request | Skip;

/** What a plugin says of itself. */
export interface Description {
  /** 1 to 64 characters of `a-z 0-9 -`, starting with a letter. */
  name: string;
  /** A semantic version. */
  version: string;
  /** What it is for, in one sentence. */
  summary: string;
  /** What it makes: at least one. */
  contentTypes: string[];
  /** A JSON Schema (2020-12) of the configuration; anything goes if absent. */
  configSchema?: object;
}

/** What `src/plugin` exports. */
export interface Plugin<Config = any> {
  describe(): Description;
  /** Makes the request of one attempt, or throws: a `Failure`, or any error, which is not tried again. */
  transform(delivery: Delivery, config: Config): Outcome;
}

/** Why a transform can make no request, in words for the subscription's owner. Tried again only if `retry` is true. */
export class Failure extends Error {
  constructor(reason: string, options?: { retry?: boolean });
  retry: boolean;
}

/** Lines that the subscription's owner reads with the attempt. `console` writes there, too. */
export const log: { [level in "debug" | "info" | "warn" | "error"]: (message: unknown) => void };

/**
 * The placeholder of a secret of the subscription, to be put as it is into a header's value or the body. The host puts
 * the secret in its place once the plugin has ended. Throws a `Failure` if there is no such secret.
 */
export function secret(name: string): string;

/** A number that JavaScript would print otherwise than it was written (12.50, 1e400). It prints as it was written. */
export class ExactNumber {
  /** Of the text of a JSON number. */
  constructor(text: string);
  /** As it was written. */
  toString(): string;
  /** The nearest number that JavaScript has. */
  valueOf(): number;
  toJSON(): unknown;
}

/** Whether it is an object of JSON: no list, no number, not null. */
export function isObject(value: unknown): value is JsonObject;
/** Like `Object.entries`, in the order in which `parse` found the keys. */
export function entries<T>(object: { [key: string]: T } | ArrayLike<T>): [key: string, value: T][];
/** Like `JSON.parse`; a number that JavaScript would print otherwise becomes an `ExactNumber`. */
export function parse(text: string): Json;
/** Like `JSON.stringify` without spaces; writes ExactNumbers, BigInts and Maps, and refuses NaN and Infinity. */
export function stringify(value: unknown): string;
