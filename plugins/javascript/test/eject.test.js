// A project ejected from a configuration gives the same requests as the configuration.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { parse, stringify } from "../../sdk/javascript/hookmill.js";

const here = fileURLToPath(new URL("..", import.meta.url));

const names = [
  "a-deal-gets-another-shape",
  "a-form",
  "numbers-stay-as-they-were-written",
  "the-placeholder-of-a-secret",
];

for (const name of names) {
  test(`ejected: ${name}`, async (t) => {
    const project = await mkdtemp(join(tmpdir(), "eject-"));
    t.after(() => rm(project, { recursive: true }));
    const read = async (file) => parse(await readFile(join(here, file), "utf8"));
    const given = await read(`golden/${name}.delivery.json`);
    const golden = await read(`golden/${name}.request.json`);
    const template = await readFile(join(here, "eject/plugin.js"), "utf8");
    await cp(join(here, "../sdk/javascript"), join(project, "sdk"), { recursive: true });
    await mkdir(join(project, "src"));
    await writeFile(join(project, "src/plugin.mjs"), template.replace("{{code}}", () => given.config.code));

    const plugin = await import(pathToFileURL(join(project, "src/plugin.mjs")).href);
    const { tryOut } = await import(pathToFileURL(join(project, "sdk/testing.js")).href);
    const posted = ({ id, type, occurred_at, data }) => ({ id, type, occurredAt: occurred_at, data: stringify(data) });
    const events = given.events.map(posted);
    const { deliver } = tryOut(plugin, { events, config: given.config.config, secrets: given.secrets });
    assert.deepEqual({ deliver }, golden);
  });
}
