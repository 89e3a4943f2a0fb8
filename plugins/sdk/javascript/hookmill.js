// What a plugin's own code imports: its log, the placeholders of secrets, its failures, and exact JSON.

export { ExactNumber, entries, isObject, parse, stringify } from "./json.js";

let host;

/** Says where log lines and secrets' names go: to Hookmill (component.js), or to a test (testing.js). */
export function connect(to) {
  host = to;
}

/** Why a transform can make no request. Thrown as it is; any other error becomes one that is not tried again. */
export class Failure extends Error {
  constructor(reason, { retry = false } = {}) {
    super(reason);
    this.name = "Failure";
    this.retry = retry;
  }
}

const line = (level) => (message) => host.write(level, String(message).toWellFormed());

/** Lines that the subscription's owner reads with the attempt. */
export const log = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };

/** The placeholder of a secret of the subscription; the host puts the secret in its place once the plugin has ended. */
export function secret(name) {
  try {
    return host.placeholder(String(name).toWellFormed());
  } catch (error) {
    throw new Failure(error.message);
  }
}
