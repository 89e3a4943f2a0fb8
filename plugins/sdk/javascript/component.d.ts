import type { Plugin } from "./hookmill.js";

/** Returns what the component exports as `transformer`. */
export function component(plugin: Plugin): object;
