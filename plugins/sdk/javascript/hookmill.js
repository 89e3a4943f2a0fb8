// The API for a plugin's code: its log, the placeholders of secrets, failures, and exact JSON.

export { ExactNumber, entries, isObject, parse, stringify } from "./json.js";

let host;

/** Sets where log lines and secrets' names go: to Hookmill (component.js), or to a test (testing.js). */
export function connect(to) {
  host = to;
}

/** Why a transform cannot produce a request. Passed on unchanged; any other error becomes a failure without a retry. */
export class Failure extends Error {
  constructor(reason, { retry = false } = {}) {
    super(reason);
    this.name = "Failure";
    this.retry = retry;
  }
}

const line = (level) => (message) => host.write(level, String(message).toWellFormed());

/** The attempt's log, which the subscription's owner reads. */
export const log = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };

/** Returns the placeholder of a secret; the host replaces it with the secret after the plugin has returned. */
export function secret(name) {
  try {
    return host.placeholder(String(name).toWellFormed());
  } catch (error) {
    throw new Failure(error.message);
  }
}
