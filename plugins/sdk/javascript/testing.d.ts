import type { Plugin } from "./hookmill.js";

export interface Given {
  /** Members that are left out have defaults; `data` is a value, or JSON text if it is a string. */
  events: { id?: string; type?: string; occurredAt?: string; data?: unknown }[];
  config?: unknown;
  attempt?: number;
  contentType?: string;
  /** The names of the subscription's secrets. */
  secrets?: string[];
}

/** The outcome in the format of the files in `golden/`, and the log. */
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
