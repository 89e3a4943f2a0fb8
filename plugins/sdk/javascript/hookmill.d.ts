// The types of the contract (wit/plugin.wit) in JavaScript.

/** JSON as returned by `parse`. */
export type Json = null | boolean | Num | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };
/** A number; an `ExactNumber` if JavaScript would print it differently than written. `Number(x)` converts either. */
export type Num = number | ExactNumber;

/** An event, as the producer posted it. */
export interface Event {
  /** Unique in its space. */
  id: string;
  /** For example `deal.created`. */
  type: string;
  /** When it happened: RFC 3339 in UTC with at most six decimals. */
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
    /** `application/json`, `application/x-www-form-urlencoded` or `text/plain`. */
    contentType: string;
  };
  /** At least one, oldest first; more than one only if the subscription batches events. */
  events: Event[];
  /** Information that later versions of the contract may add. */
  extra: [name: string, value: string][];
}

type Value = string | number | boolean | bigint | ExactNumber;
/** Name-value pairs, in order: an object, or an iterable of pairs if a name repeats. */
export type Fields = { [name: string]: Value } | Iterable<readonly [name: string, value: Value]>;

/** The request's body: one of these. */
export type Body =
  /** Sent as `application/json`, serialized by `stringify`. */
  | { json: unknown }
  /** Sent as `application/x-www-form-urlencoded`, encoded by the host. */
  | { form: Fields }
  /** Sent as `text/plain; charset=utf-8`. */
  | { text: string }
  /** Bytes with a content type of your choice; a string is sent as UTF-8. */
  | { binary: { contentType: string; bytes: Uint8Array | string } };

/** The request to send. Scheme, host and path are the subscription's. */
export interface Request {
  /** `POST`, `PUT`, `PATCH` or `GET`; the subscription's own method if absent. */
  method?: string;
  /** Appended to the URL's query, encoded by the host. */
  query?: Fields;
  /** In addition to those that the host sets. */
  headers?: Fields;
  body: Body;
  skip?: undefined;
}

/** Sends nothing; the delivery ends as skipped, with this reason. */
export interface Skip {
  skip: string;
}

export type Outcome = Request | Skip;

/** A plugin's description of itself. */
export interface Description {
  /** 1 to 64 characters of `a-z 0-9 -`, starting with a letter. */
  name: string;
  /** A semantic version. */
  version: string;
  /** The plugin's purpose, in one sentence. */
  summary: string;
  /** The content types that it produces: at least one. */
  contentTypes: string[];
  /** A JSON Schema (2020-12) of the configuration; if absent, any configuration is accepted. */
  configSchema?: object;
}

/** The exports of `src/plugin`. */
export interface Plugin<Config = any> {
  describe(): Description;
  /** Produces the request of one attempt. Throws a `Failure`, or any other error, which is not retried. */
  transform(delivery: Delivery, config: Config): Outcome;
}

/** Why a transform cannot produce a request, addressed to the subscription's owner. Retried only if `retry` is true. */
export class Failure extends Error {
  constructor(reason: string, options?: { retry?: boolean });
  retry: boolean;
}

/** The attempt's log, which the subscription's owner reads. `console` writes to it, too. */
export const log: { [level in "debug" | "info" | "warn" | "error"]: (message: unknown) => void };

/**
 * Returns the placeholder of a secret of the subscription, to be inserted unchanged into a header's value or the body.
 * The host replaces it with the secret after the plugin has returned. Throws a `Failure` if there is no such secret.
 */
export function secret(name: string): string;

/** A number that JavaScript would print differently from how it was written (12.50, 1e400). It prints as written. */
export class ExactNumber {
  /** Takes the text of a JSON number. */
  constructor(text: string);
  /** Returns the number as it was written. */
  toString(): string;
  /** Returns the nearest JavaScript number. */
  valueOf(): number;
  toJSON(): unknown;
}

/** Returns whether the value is a JSON object: not an array, not a number, not null. */
export function isObject(value: unknown): value is JsonObject;
/** Like `Object.entries`, but in the order in which the keys were written in the text given to `parse`. */
export function entries<T>(object: { [key: string]: T } | ArrayLike<T>): [key: string, value: T][];
/** Like `JSON.parse`; a number that JavaScript would print differently becomes an `ExactNumber`. */
export function parse(text: string): Json;
/** Like `JSON.stringify` without spaces; supports ExactNumbers, BigInts and Maps, and throws on NaN and Infinity. */
export function stringify(value: unknown): string;
