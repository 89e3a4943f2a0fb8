// Makes a component of a plugin. The only module that knows the host: its imports exist in no Node.

import hostLog from "hookmill:plugin/log@1.1.0";
import hostSecrets from "hookmill:plugin/secrets@1.1.0";

import { describe, transform } from "./call.js";
import { connect, log } from "./hookmill.js";

/** What the component exports as `transformer`. */
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
  // It would ask a clock that is not there, which ends a plugin without a word.
  delete globalThis.performance;
  return { describe: () => describe(plugin), transform: (delivery) => transform(plugin, delivery) };
}
