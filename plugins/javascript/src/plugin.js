// A plugin whose configuration contains the code.

import * as sdk from "../../sdk/javascript/hookmill.js";

// The code cannot import modules: the imports of an ejected project are global here.
const { ExactNumber, Failure, entries, isObject, log, parse, secret, stringify } = sdk;
Object.assign(globalThis, { ExactNumber, Failure, entries, isObject, log, parse, secret, stringify });

export function describe() {
  return {
    name: "javascript",
    version: "1.0.0",
    summary: "Any request from a JavaScript function in the configuration",
    contentTypes: ["application/json", "application/x-www-form-urlencoded", "text/plain"],
    configSchema: {
      type: "object",
      properties: {
        code: { type: "string", minLength: 1, description: "JavaScript that defines `transform(delivery, config)`" },
        config: { description: "The function's second argument; an empty object if absent" },
      },
      required: ["code"],
      additionalProperties: false,
    },
  };
}

export function transform(delivery, { code, config = {} }) {
  if (typeof code !== "string") throw new Failure("invalid configuration: `code` must be a string");
  return defined(code)(delivery, config);
}

/** Returns the function `transform` that the code defines. */
function defined(code) {
  // Strict like a module, since `plugin eject` turns the code into one. An indirect eval has no access to this module.
  const transform = (0, eval)(`"use strict"; ${code}\n; typeof transform === "undefined" ? undefined : transform`);
  if (typeof transform === "function") return transform;
  throw new Failure("the code does not define a function `transform(delivery, config)`");
}
