// Turns a plugin into a component. The only module that imports from the host; these imports do not exist in Node.

import hostLog from "hookmill:plugin/log@1.1.0";
import hostSecrets from "hookmill:plugin/secrets@1.1.0";

import { describe, transform } from "./call.js";
import { connect, log } from "./hookmill.js";

/** Returns what the component exports as `transformer`. */
export function component(plugin) {
  connect({ write: hostLog.write, placeholder: hostSecrets.placeholder });
  const line = (write) => (...parts) => write(parts.join(" "));
  globalThis.console = {
    debug: line(log.debug),
    log: line(log.info),
    info: line(log.info),
    warn: line(log.warn),
    error: line(log.error),
  };
  // It would read a clock that does not exist, which traps without a message.
  delete globalThis.performance;
  return { describe: () => describe(plugin), transform: (delivery) => transform(plugin, delivery) };
}
