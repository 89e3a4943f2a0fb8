// The plugin whose configuration is a plugin's code.

import * as sdk from "../../sdk/javascript/hookmill.js";

// The code imports nothing: what an ejected project imports is there.
const { ExactNumber, Failure, entries, isObject, log, parse, secret, stringify } = sdk;
Object.assign(globalThis, { ExactNumber, Failure, entries, isObject, log, parse, secret, stringify });

export function describe() {
  return {
    name: "javascript",
    version: "1.0.0",
    summary: "Any request by a JavaScript function in the configuration",
    contentTypes: ["application/json", "application/x-www-form-urlencoded", "text/plain"],
    configSchema: {
      type: "object",
      properties: {
        code: { type: "string", minLength: 1, description: "JavaScript that defines `transform(delivery, config)`" },
        config: { description: "What the function gets as its second argument; an empty object if absent" },
      },
      required: ["code"],
      additionalProperties: false,
    },
  };
}

export function transform(delivery, { code, config = {} }) {
  if (typeof code !== "string") throw new Failure("the configuration is wrong: `code` must be a text");
  return defined(code)(delivery, config);
}

/** The function `transform` that the code defines. */
function defined(code) {
  // Strict, as a module is: `plugin eject` makes one of it. An indirect eval sees nothing of this module.
  const transform = (0, eval)(`"use strict"; ${code}\n; typeof transform === "undefined" ? undefined : transform`);
  if (typeof transform === "function") return transform;
  throw new Failure("the code defines no function `transform(delivery, config)`");
}
