// One call of a plugin: from the contract's delivery to the author's, and from what it returned to the contract's
// outcome.

import { ExactNumber, entries, Failure, log, parse, stringify } from "./hookmill.js";
import { still } from "./sandbox.js";

/** The contract's description. */
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
    // The contract has no failure here: the host tells this line instead.
    log.error(`${error}${place(error.stack)}`);
    throw error;
  }
}

/** The contract's outcome; throws the contract's failure. */
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

/** ` (flatten, src/plugin.js:7)`: where the author's own code was. */
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
    throw new Failure("transform returned a promise and a plugin cannot wait: make it a function that is not async");
  }
  if (typeof result !== "object" || result === null) {
    throw new Failure(`transform returned ${kind(result)}: it returns {body: …} or {skip: "why"}`);
  }
  if (result.skip !== undefined) return { tag: "skip", val: text(result.skip, "skip") };
  const method = result.method == null ? null : text(result.method, "method");
  const query = fields(result.query, "query");
  const headers = fields(result.headers, "header");
  return { tag: "deliver", val: { method, query, headers, body: body(result.body), extra: [] } };
}

function body(given) {
  const [kind, ...more] = Object.keys(given ?? {});
  if (more.length > 0) throw new Failure(`the body is one of json, form, text and binary, not ${kind} and ${more[0]}`);
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
      throw new Failure("transform returned no body: it is {json: …}, {form: …}, {text: …} or {binary: …}");
  }
}

function binary(given) {
  const { contentType, bytes } = given ?? {};
  // There is no TextEncoder in a plugin.
  const utf8 = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
  const encoded = typeof bytes === "string" ? utf8(bytes.toWellFormed()) : bytes;
  if (encoded instanceof Uint8Array) return { contentType: text(contentType, "content type"), bytes: encoded };
  throw new Failure(`the bytes of a binary body are a Uint8Array or a text and are ${kind(bytes)}`);
}

/** Pairs of an object, a Map or a list of pairs. */
function fields(given, what) {
  const pairs = given?.[Symbol.iterator] ? [...given] : entries(given ?? {});
  return pairs.map(([name, value]) => [text(name, what), text(value, `${what} ${name}`)]);
}

/** The text of a text, a number or a boolean. A half of a surrogate pair in it would end the plugin without a word. */
function text(value, what) {
  const isPrimitive = ["string", "number", "boolean", "bigint"].includes(typeof value);
  if (isPrimitive || value instanceof ExactNumber) return String(value).toWellFormed();
  throw new Failure(`the ${what} must be a text and is ${kind(value)}`);
}

/** What a value is, in words. */
function kind(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  const words = { object: "an object", string: "a text", function: "a function" };
  return words[typeof value] ?? typeof value;
}
