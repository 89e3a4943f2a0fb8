// One call of a plugin: converts the contract's delivery to the author's, and the plugin's result to the contract's
// outcome.

import { ExactNumber, entries, Failure, log, parse, stringify } from "./hookmill.js";
import { still } from "./sandbox.js";

/** Returns the contract's description. */
export function describe(plugin) {
  try {
    const { name, version, summary, contentTypes, configSchema } = plugin.describe();
    return {
      name: text(name, "name"),
      version: text(version, "version"),
      summary: text(summary, "summary"),
      contentTypes: contentTypes.map((type) => text(type, "content type")),
      configSchema: stringify(configSchema ?? {}),
      extra: [],
    };
  } catch (error) {
    // `describe` has no failure in the contract: the host reports this line instead.
    log.error(`${error}${place(error.stack)}`);
    throw error;
  }
}

/** Returns the contract's outcome; throws the contract's failure. */
export function transform(plugin, delivery) {
  const restore = still(delivery);
  try {
    const { config, ...subscription } = delivery.subscription;
    const events = delivery.events.map(({ kind, data, ...event }) => ({ ...event, type: kind, data: parse(data) }));
    return outcome(plugin.transform({ ...delivery, subscription, events }, JSON.parse(config)));
  } catch (error) {
    throw failure(error);
  } finally {
    restore();
  }
}

function failure(error) {
  if (error instanceof Failure) return { reason: error.message.toWellFormed(), retry: error.retry === true };
  const isError = error instanceof Error;
  const what = isError ? `${error.name}: ${error.message}` : `thrown: ${printed(error)}`;
  log.error(isError ? `${what}\n${error.stack}`.trim() : what);
  return { reason: (isError ? what + place(error.stack) : what).toWellFormed(), retry: false };
}

function printed(thrown) {
  try {
    return typeof thrown === "string" ? thrown : stringify(thrown);
  } catch {
    return String(thrown);
  }
}

/** Returns the location in the author's own code: ` (flatten, src/plugin.js:7)`. */
function place(stack) {
  const pattern = /at (?:(?:Object\.)?(\S+)(?: \[as \S+\])? \()?(?:file:\/\/)?([^\s()]+?):(\d+)(?::\d+)?\)?$/;
  for (const frame of String(stack).split("\n")) {
    const found = pattern.exec(frame.trim());
    if (!found || found[2].includes("/sdk/")) continue;
    const [, name, file, number] = found;
    const at = file === "<input>" ? `line ${number}` : `${file.replace(/^.*?((src|dist)\/)/, "$1")}:${number}`;
    return name && !name.startsWith("<") ? ` (${name}, ${at})` : ` (${at})`;
  }
  return "";
}

function outcome(result) {
  if (typeof result?.then === "function") {
    throw new Failure("transform returned a promise, which a plugin cannot await: make transform synchronous");
  }
  if (typeof result !== "object" || result === null) {
    throw new Failure(`transform returned ${kind(result)}, expected {body: …} or {skip: "reason"}`);
  }
  if (result.skip !== undefined) return { tag: "skip", val: text(result.skip, "skip") };
  const method = result.method == null ? null : text(result.method, "method");
  const query = fields(result.query, "query");
  const headers = fields(result.headers, "header");
  return { tag: "deliver", val: { method, query, headers, body: body(result.body), extra: [] } };
}

function body(given) {
  const [kind, ...more] = Object.keys(given ?? {});
  if (more.length > 0) throw new Failure(`the body is one of json, form, text and binary, got ${kind} and ${more[0]}`);
  switch (kind) {
    case "json":
      return { tag: "json", val: stringify(given.json) };
    case "form":
      return { tag: "form", val: fields(given.form, "form") };
    case "text":
      return { tag: "text", val: text(given.text, "text") };
    case "binary":
      return { tag: "binary", val: binary(given.binary) };
    default:
      throw new Failure("transform returned no body, expected {json: …}, {form: …}, {text: …} or {binary: …}");
  }
}

function binary(given) {
  const { contentType, bytes } = given ?? {};
  // QuickJS has no TextEncoder.
  const utf8 = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
  const encoded = typeof bytes === "string" ? utf8(bytes.toWellFormed()) : bytes;
  if (encoded instanceof Uint8Array) return { contentType: text(contentType, "content type"), bytes: encoded };
  throw new Failure(`the bytes of a binary body must be a Uint8Array or a string, got ${kind(bytes)}`);
}

/** Returns the pairs of an object, a Map or a list of pairs. */
function fields(given, what) {
  const pairs = given?.[Symbol.iterator] ? [...given] : entries(given ?? {});
  return pairs.map(([name, value]) => [text(name, what), text(value, `${what} ${name}`)]);
}

/** Converts a string, number or boolean to a string. An unpaired surrogate in it would trap without a message. */
function text(value, what) {
  const isPrimitive = ["string", "number", "boolean", "bigint"].includes(typeof value);
  if (isPrimitive || value instanceof ExactNumber) return String(value).toWellFormed();
  throw new Failure(`the ${what} must be a string, got ${kind(value)}`);
}

/** Describes the type of a value for an error message. */
function kind(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  const names = { object: "an object", string: "a string", function: "a function" };
  return names[typeof value] ?? typeof value;
}
