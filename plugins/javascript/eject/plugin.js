// Made of a configuration of the plugin `javascript`. What was its `config` is the whole configuration now.

import { ExactNumber, Failure, entries, isObject, log, parse, secret, stringify } from "../sdk/hookmill.js";

export function describe() {
  return {
    name: "my-plugin",
    version: "0.1.0",
    summary: "What was JavaScript in a configuration",
    contentTypes: ["application/json", "application/x-www-form-urlencoded", "text/plain"],
    configSchema: {},
  };
}

export { transform };

// From here on: the code as it was.

{{code}}
