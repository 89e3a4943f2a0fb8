// The playground: runs a plugin on an event as one types, and shows the request that would be sent.

import { api, swap } from "./app.js";
import { columns, download, line, requestText } from "./request.js";

const play = document.querySelector("#play");
const choice = document.querySelector("#choice");
const find = (id) => document.getElementById(id);
let last = null;
let running = null;

/** Shows an error at a text, with the line that it names. */
function showAt(id, message, number) {
  const place = find(`${id}-problem`);
  place.hidden = !message;
  place.textContent = message ? (number ? `Line ${number}: ${message}` : message) : "";
  const text = find(id);
  text.toggleAttribute("aria-invalid", Boolean(message));
  if (message) text.closest("details")?.setAttribute("open", "");
  gutter(text, message && number);
}

function gutter(text, bad) {
  const lines = text.value.split("\n").map((_, at) => {
    const span = document.createElement("span");
    span.textContent = `${at + 1}\n`;
    if (at + 1 === bad) span.className = "bad";
    return span;
  });
  const numbers = text.previousElementSibling;
  numbers.replaceChildren(...lines);
  numbers.scrollTop = text.scrollTop;
}

/** Returns the text of JSON as it was typed, or null after showing where it is wrong. */
function json(id) {
  const text = find(id).value.trim() || "{}";
  try {
    JSON.parse(text);
    showAt(id, null);
    return text;
  } catch (error) {
    showAt(id, error.message, line(error.message, find(id).value));
    return null;
  }
}

/** Returns the configuration with the program in it. It stays text: numbers keep their digits. */
function config() {
  const rest = json("config");
  const program = find("program");
  if (!program || rest === null) return rest;
  const inner = rest.slice(1).trim();
  const member = `${JSON.stringify(program.dataset.member)}: ${JSON.stringify(program.value)}`;
  return `{${member}${inner === "}" ? "" : ", "}${inner}`;
}

function input() {
  const [settings, data] = [config(), json("data")];
  if (settings === null || data === null) return null;
  const { value: type, dataset } = find("event-type");
  const contentType = choice.elements.content_type.value;
  const event = `{"id": ${JSON.stringify(dataset.id)}, "type": ${JSON.stringify(type)}, "occurred_at": ${JSON.stringify(dataset.at)}, "data": ${data}}`;
  return { settings, event, contentType };
}

function preview({ settings, event, contentType }, version, signal) {
  const body = `{"event": ${event}, "config": ${settings}, "version": ${JSON.stringify(version)}, "content_type": ${JSON.stringify(contentType)}}`;
  return api("POST", play.dataset.preview, body, signal);
}

const number = (n) => n.toLocaleString("en");

function figures(results) {
  const rows = [
    ["Fuel", (one) => one.figures.fuel_used, (one) => one.figures.fuel_max],
    ["Memory, bytes", (one) => one.figures.memory_bytes, (one) => one.figures.memory_bytes_max],
    ["Body, bytes", (one) => new Blob([one.request?.body ?? ""]).size, () => Number(play.dataset.outputMax)],
  ];
  const list = rows.flatMap(([label, used, max]) => {
    const [name, values] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = label;
    for (const one of results) {
      const meter = document.createElement("meter");
      Object.assign(meter, { max: max(one), value: used(one) });
      meter.setAttribute("aria-label", label);
      const text = document.createElement("div");
      text.append(meter, ` ${number(used(one))} of ${number(max(one))}`);
      values.append(text);
    }
    return [name, values];
  });
  find("figures").replaceChildren(...list);
}

function logs(results) {
  const lines = results.flatMap((one) => one.logs).map(({ level, message }) => `${level}: ${message}`);
  find("logs").hidden = lines.length === 0;
  find("logs").querySelector("pre").textContent = lines.join("\n");
}

/** Shows a fault at the line of the program that it names. */
function fault(result) {
  const found = result.plugin_fault;
  const program = find("program");
  const message = found && `${found.message}${found.code === "failed" ? "" : ` (${found.code.replaceAll("_", " ")})`}`;
  if (program) showAt("program", message, message && line(message, program.value));
  find("problem").hidden = !found || Boolean(program);
  find("problem").textContent = message ?? "";
}

function show(results, versions) {
  fault(results[0]);
  const texts = results.map(requestText);
  const shown = texts.length === 2 ? columns(texts, versions) : columns(texts, []);
  find("result").replaceChildren(...shown);
  find("result").setAttribute("aria-busy", "false");
  figures(results);
  logs(results);
}

async function run() {
  running?.abort();
  const given = input();
  if (!given) return;
  const { version, other } = choice.elements;
  const versions = [version.value, other.value].filter(Boolean);
  const query = new URLSearchParams({ plugin: play.dataset.plugin, version: version.value, config: given.settings });
  if (given.settings.length > 4000) query.delete("config");
  find("subscribe").href = `${play.dataset.subscribe}?${query}`;
  running = new AbortController();
  const { signal } = running;
  const begin = performance.now();
  try {
    const results = await Promise.all(versions.map((one) => preview(given, one, signal)));
    last = { given, result: results[0] };
    find("problem").hidden = true;
    show(results, versions);
    find("elapsed").textContent = `${Math.round(performance.now() - begin)} ms`;
  } catch (error) {
    if (signal.aborted) return;
    const field = error.problem?.field ?? "";
    const place = { "/con": find("program") ? "program" : "config", "/eve": "data" }[field.slice(0, 4)];
    const message = field ? `${field}: ${error.message}` : error.message;
    find("problem").hidden = Boolean(place);
    find("problem").textContent = message;
    if (place) showAt(place, message, line(message, find(place).value));
    find("result").setAttribute("aria-busy", "false");
  }
}

let soon;
function later() {
  clearTimeout(soon);
  soon = setTimeout(run, 60);
}

/** Keeps what is chosen in the address, so that it can be sent to a colleague. */
function address() {
  const query = new URLSearchParams({ plugin: play.dataset.plugin });
  for (const name of ["version", "other", "from"]) {
    if (choice.elements[name].value) query.set(name, choice.elements[name].value);
  }
  return `${location.pathname}?${query}`;
}

async function choose(event) {
  if (event.target.name === "plugin") {
    const query = new URLSearchParams({ plugin: event.target.value, from: choice.elements.from.value });
    location.assign(`${location.pathname}?${query}`);
    return;
  }
  history.replaceState(null, "", address());
  if (event.target.name === "from") {
    await swap(find("event"));
    gutter(find("data"));
  }
  run();
}

if (play) {
  choice.addEventListener("change", choose);
  play.addEventListener("input", (event) => {
    if (event.target.closest(".editor")) gutter(event.target);
    if (!event.target.closest("#golden")) later();
  });
  play.addEventListener("scroll", (event) => {
    const numbers = event.target.previousElementSibling;
    if (event.target.tagName === "TEXTAREA") numbers.scrollTop = event.target.scrollTop;
  }, true);
  find("golden").addEventListener("submit", (event) => {
    event.preventDefault();
    if (last) download(event.target.elements.case.value, last.given, last.result);
  });
  for (const text of play.querySelectorAll(".editor textarea")) gutter(text);
  run();
}
