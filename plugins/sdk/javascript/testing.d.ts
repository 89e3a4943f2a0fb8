import type { Plugin } from "./hookmill.js";

export interface Given {
  /** What is left out of an event is the same for all; `data` is a value, or JSON text if it is a string. */
  events: { id?: string; type?: string; occurredAt?: string; data?: unknown }[];
  config?: unknown;
  attempt?: number;
  contentType?: string;
  /** The names of the secrets that the subscription has. */
  secrets?: string[];
}

/** The outcome as the files in `golden/` have it, and what was logged. */
export interface TriedOut {
  deliver?: {
    method: string | null;
    query: [name: string, value: string][];
    headers: [name: string, value: string][];
    body:
      | { json: string }
      | { form: [name: string, value: string][] }
      | { text: string }
      | { binary: { contentType: string; bytes: Uint8Array } };
  };
  skip?: string;
  failed?: { reason: string; retry: boolean };
  log: { level: string; message: string }[];
}

/** Calls the plugin in this process. A secret's placeholder is `{{secret:name}}`. */
export function tryOut(plugin: Plugin, given: Given): TriedOut;
