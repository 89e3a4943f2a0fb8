// The form of a subscription: its steps, what is filled in, and the requests that save, test and activate it.
import { api } from "/assets/app.js";
import { startEvents } from "/assets/subscription-events.js";
import { addRow, config, fillPlugin, rows, showPlugin } from "/assets/subscription-shape.js";
import { make, sendTest, testResult } from "/assets/subscription.js";

const form = document.getElementById("subscription");
const { space } = form.dataset;
const base = `/v1/spaces/${space}`;
const list = `/s/${space}/subscriptions`;
const sections = [...form.querySelectorAll("[data-section]")];
const members = [...form.querySelectorAll("[data-member]")];
const result = document.getElementById("result");
let id = form.dataset.id;

// Numbers stay as they are written, such as 12.50, where the browser can.
const filled = JSON.parse(form.dataset.filled, (_, value, context) =>
  typeof value === "number" && JSON.rawJSON && context?.source ? JSON.rawJSON(context.source) : value,
);

// ---- what the form says

const KINDS = {
  list: (text) => text.split(/[\s,]+/).filter(Boolean),
  lines: (text) => text.split("\n").map((line) => line.trim()).filter(Boolean),
  numbers: (text) => text.split(/[\s,]+/).filter(Boolean).map(Number),
  number: (text) => (Number.isFinite(Number(text)) ? Number(text) : text),
  bool: (text) => text === "true",
  // 5, true and "5" are what they look like; anything else is text.
  scalar: (text) => {
    try {
      const value = JSON.parse(text);
      return value === null || typeof value === "object" ? text : value;
    } catch {
      return text;
    }
  },
};

function written(element) {
  const text = element.value.trim();
  return text === "" ? undefined : (KINDS[element.dataset.kind]?.(text) ?? text);
}

/** Returns the subscription as the form says it. */
function composed() {
  const body = {};
  for (const element of members) {
    const value = written(element);
    if (value === undefined || (element.disabled && id)) continue;
    const path = element.dataset.member.split(".");
    let at = body;
    for (const name of path.slice(0, -1)) at = at[name] ??= {};
    at[path.at(-1)] = value;
  }
  if (body.rate?.count === undefined) delete body.rate;
  body.event_types ??= [];
  const [headers, query, plugin] = [rows("headers"), rows("query"), config()];
  if (headers.length) body.headers = headers;
  if (query.length) body.query = query;
  if (plugin) body.plugin = plugin;
  return body;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !JSON.isRawJSON?.(value);

/** Returns the merge patch (RFC 7396) that makes `after` of `before`. */
function difference(before, after) {
  const patch = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[name], after[name]];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    patch[name] = now === undefined ? null : isObject(old) && isObject(now) ? difference(old, now) : now;
  }
  return patch;
}

function fill() {
  for (const element of members) {
    const value = element.dataset.member.split(".").reduce((at, name) => at?.[name], filled);
    if (value === undefined || value === null) continue;
    const { kind } = element.dataset;
    const text = (one) => (isObject(one) || typeof one !== "object" ? String(one) : JSON.stringify(one));
    if (kind === "lines") element.value = value.join("\n");
    else if (Array.isArray(value)) element.value = value.map(text).join(", ");
    else if (kind === "scalar" && typeof value === "string" && KINDS.scalar(value) !== value) element.value = JSON.stringify(value);
    else element.value = text(value);
  }
  if (filled.name && !id) form.elements.name.value = `Copy of ${filled.name}`;
  for (const kind of ["headers", "query"]) for (const row of filled[kind] ?? []) addRow(kind, row, !id);
  if (filled.trigger) document.getElementById("trigger").open = true;
  fillPlugin(filled.plugin);
  const radio = filled.plugin && form.querySelector(`[name=receiver][data-plugin="${CSS.escape(filled.plugin.name)}"]`);
  if (radio) radio.checked = true;
}

// ---- steps

let current = 0;

function show(index) {
  current = index;
  sections.forEach((section, at) => {
    section.hidden = at !== index;
    const button = form.querySelector(`[data-step="${section.dataset.section}"]`);
    button.toggleAttribute("data-done", at < index);
    if (at === index) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  form.querySelector("[data-do=back]").disabled = index === 0;
  form.querySelector("[data-do=next]").hidden = index === sections.length - 1;
  history.replaceState(null, "", `#${sections[index].dataset.section}`);
  if (sections[index].dataset.section === "finish") summarize();
}

/** Returns whether the fields of a step are as they must be; says what is not. */
function valid(index) {
  return [...sections[index].querySelectorAll("input, select, textarea")].every((element) => element.reportValidity());
}

function summarize() {
  const { url, name, event_types: types, trigger, condition, plugin } = composed();
  const changes = [...(trigger?.fields ?? []), ...(trigger?.status ? [trigger.status.field ?? "status"] : [])];
  const facts = [
    ["Name", name],
    ["URL", url],
    ["Events", types.join(", ") || "none yet"],
    ["Trigger", changes.length ? `a change of ${changes.join(", ")}` : "every event"],
    ["Condition", condition ?? "none"],
    ["Plugin", plugin?.name ?? "the profile's own shape"],
  ];
  const lines = facts.flatMap(([term, value]) => [make("dt", "", term), make("dd", "", value ?? "missing")]);
  document.getElementById("summary").replaceChildren(...lines);
}

// ---- saving

/** Shows what is wrong: in its step, at its field, with a link to a subscription that it names. */
function problem(error) {
  const place = form.querySelector(":scope > .problem");
  for (const wrong of form.querySelectorAll("[aria-invalid]")) wrong.removeAttribute("aria-invalid");
  place.hidden = !error;
  if (!error) return;
  const field = (error.problem?.field ?? "").slice(1).replaceAll("/", ".");
  const at = members.find(({ dataset: { member } }) => field && (field === member || field.startsWith(`${member}.`)));
  if (at || field.startsWith("plugin")) {
    show(sections.findIndex((section) => section.contains(at ?? document.getElementById("plugin"))));
    at?.setAttribute("aria-invalid", "true");
    at?.focus();
  }
  place.replaceChildren(field ? `${field}: ` : "");
  for (const part of error.message.split(/(sub_[0-9A-Za-z]+)/)) {
    const link = part.startsWith("sub_") ? make("a", "", part) : part;
    if (link.tagName) link.href = `${list}/${part}`;
    place.append(link);
  }
  place.scrollIntoView({ block: "nearest" });
}

let saved = {};

/** Saves what the form says, as a draft if it is new. */
async function save() {
  const bad = sections.findIndex((section) => [...section.querySelectorAll("input, textarea")].some((it) => !it.checkValidity()));
  if (bad >= 0) {
    show(bad);
    valid(bad);
    throw null;
  }
  const body = composed();
  if (!id) {
    ({ id } = await api("POST", `${base}/subscriptions`, { ...body, state: "draft" }));
    form.querySelector("[data-member=profile]").disabled = true;
    delete body.profile;
  } else {
    const patch = difference(saved, body);
    delete patch.profile;
    if (Object.keys(patch).length) await api("PATCH", `${base}/subscriptions/${id}`, patch);
  }
  saved = body;
}

const ACTIONS = {
  back: () => show(current - 1),
  next: () => valid(current) && show(current + 1),
  save: async () => {
    await save();
    location.assign(`${list}/${id}`);
  },
  draft: () => ACTIONS.save(),
  test: async () => {
    await save();
    result.replaceChildren(make("p", "hint", "Sending a test event…"));
    try {
      result.replaceChildren(...testResult(await sendTest(`${base}/subscriptions/${id}`), `/s/${space}/deliveries`));
    } catch (error) {
      result.replaceChildren();
      throw error;
    }
  },
  activate: async () => {
    await save();
    result.replaceChildren(make("p", "hint", "Activating…"));
    try {
      const { handshake_report: report } = await api("POST", `${base}/subscriptions/${id}/activate`);
      const open = make("a", "button primary", "Open the subscription");
      open.href = `${list}/${id}`;
      const text = report ? ` The handshake passed: ${report.reason} (${report.took_ms} ms).` : "";
      result.replaceChildren(make("p", "notice", `The subscription is active.${text}`), make("p", "", open));
      for (const button of sections.at(-1).querySelectorAll("[data-do]")) button.hidden = true;
    } catch (error) {
      result.replaceChildren();
      throw error;
    }
  },
};

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { step, add, do: what } = button.dataset;
  if (step) show(sections.findIndex(({ dataset: { section } }) => section === step));
  if (add) addRow(add);
  if (!what) return;
  button.disabled = true;
  problem(null);
  try {
    await ACTIONS[what]();
  } catch (error) {
    if (error) problem(error);
  }
  button.disabled = what === "back" && current === 0;
});

// ---- the receiver

const HOSTS = [
  [/(^|\.)zapier\.com$/, "zapier"],
  [/(^|\.)(make|integromat)\.com$/, "make"],
  [/(^|\.)slack\.com$/, "slack"],
  [/(^|\.)(logic\.azure|powerplatform)\.com$/, "power"],
  [/(^|[.-])n8n\b/, "n8n"],
];

function receiverOf(url) {
  if (!URL.canParse(url)) return null;
  const { hostname, pathname } = new URL(url);
  return HOSTS.find(([pattern]) => pattern.test(hostname))?.[1] ?? (/\/webhook(-test)?\//.test(pathname) ? "n8n" : null);
}

function receiver(choosePlugin) {
  const chosen = form.querySelector("[name=receiver]:checked");
  for (const about of form.querySelectorAll("[data-about]")) about.hidden = about.dataset.about !== chosen.value;
  const { plugin } = chosen.dataset;
  const select = document.getElementById("plugin");
  if (choosePlugin && (!plugin || [...select.options].some(({ value }) => value === plugin))) {
    select.value = plugin;
    showPlugin();
  }
}

function checkUrl() {
  const url = form.elements.url.value;
  const warning = document.getElementById("url-warning");
  const test = url.includes("/webhook-test/");
  warning.textContent =
    "This is n8n's test URL: it answers for 120 seconds after a click on “Listen for test event”, then with 404. Use the production URL, with /webhook/, of an active workflow.";
  warning.hidden = !test;
  const found = receiverOf(url);
  const radio = found && form.querySelector(`[name=receiver][value=${found}]`);
  if (radio && !radio.checked) {
    radio.checked = true;
    receiver(!id && !filled.plugin);
  }
}

fill();
checkUrl();
receiver(false);
form.addEventListener("change", ({ target }) => {
  if (target.name === "receiver") receiver(!id);
  if (target.id === "plugin") showPlugin();
});
form.elements.url.addEventListener("input", checkUrl);
const profile = form.querySelector("[data-member=profile]");
const summary = () => (document.getElementById("profile-summary").textContent = profile.selectedOptions[0]?.dataset.summary ?? "");
profile.addEventListener("change", summary);
summary();
saved = id ? composed() : {};
show(Math.max(0, sections.findIndex(({ dataset: { section } }) => `#${section}` === location.hash)));
startEvents(form, base, written);
