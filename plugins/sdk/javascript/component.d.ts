import type { Plugin } from "./hookmill.js";

/** What the component exports as `transformer`. */
export function component(plugin: Plugin): object;
