// Created from a configuration of the plugin `javascript`. Its `config` is now the whole configuration.

import { ExactNumber, Failure, entries, isObject, log, parse, secret, stringify } from "../sdk/hookmill.js";

export function describe() {
  return {
    name: "my-plugin",
    version: "0.1.0",
    summary: "A project ejected from a JavaScript configuration",
    contentTypes: ["application/json", "application/x-www-form-urlencoded", "text/plain"],
    configSchema: {},
  };
}

export { transform };

// The code of the configuration, unchanged.

{{code}}
