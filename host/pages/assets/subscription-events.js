// The events of a subscription: types to choose from, completion of fields, and the last events as matching or not.
import { api } from "/assets/app.js";
import { make } from "/assets/subscription.js";

/** Words that complete each kind of field. */
const words = { types: new Set(), fields: new Set(), condition: new Set(["event.type", "event.id", "event.occurred_at", "event.changed_fields"]) };

/** Learns the paths of an example's members, at most a thousand. */
function learn(value, path = "") {
  if (words.fields.size > 1000 || value === null || typeof value !== "object" || Array.isArray(value)) return;
  for (const [name, member] of Object.entries(value)) {
    const at = path ? `${path}.${name}` : name;
    words.fields.add(at);
    words.condition.add(`event.data.${at}`);
    learn(member, at);
  }
}

// ---- completion

function complete(input) {
  const listbox = make("ul", "completions");
  Object.assign(listbox, { id: `${input.id}-completions`, role: "listbox", hidden: true });
  listbox.setAttribute("aria-label", "Completions");
  input.after(listbox);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", listbox.id]]) {
    input.setAttribute(name, value);
  }
  let chosen = 0;
  const close = () => {
    listbox.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const begun = () => input.value.slice(0, input.selectionStart).match(/[\w./*-]*$/)[0];
  const mark = () => {
    [...listbox.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
    input.setAttribute("aria-activedescendant", listbox.children[chosen].id);
    listbox.children[chosen].scrollIntoView({ block: "nearest" });
  };
  const take = (word) => {
    const [at, before] = [input.selectionStart, begun()];
    input.setRangeText(word, at - before.length, at, "end");
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    close();
  };
  const open = () => {
    const word = begun().toLowerCase();
    const found = [...words[input.dataset.complete]].filter((it) => it.toLowerCase().includes(word) && it.toLowerCase() !== word);
    found.sort((a, b) => Number(b.toLowerCase().startsWith(word)) - Number(a.toLowerCase().startsWith(word)));
    if (!word || !found.length) return close();
    chosen = 0;
    listbox.replaceChildren(...found.slice(0, 8).map((text, at) => {
      const option = make("li", "", text);
      Object.assign(option, { id: `${listbox.id}-${at}`, role: "option" });
      return option;
    }));
    listbox.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark();
  };
  input.addEventListener("input", open);
  input.addEventListener("blur", close);
  listbox.addEventListener("mousedown", (event) => {
    event.preventDefault();
    if (event.target.role === "option") take(event.target.textContent);
  });
  input.addEventListener("keydown", (event) => {
    if (listbox.hidden) return;
    const { length } = listbox.children;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) chosen = (chosen + step + length) % length;
    else if (event.key === "Enter" || event.key === "Tab") take(listbox.children[chosen].textContent);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    if (step) mark();
  });
}

// ---- the types to choose from

function chips(input) {
  const place = document.getElementById("types");
  const has = () => input.value.split(/[\s,]+/).filter(Boolean);
  const draw = () => {
    const present = has();
    place.replaceChildren(...["*", ...[...words.types].sort()].slice(0, 200).map((type) => {
      const chip = make("button", "chip", type === "*" ? "all events (*)" : type);
      chip.type = "button";
      chip.dataset.type = type;
      chip.setAttribute("aria-pressed", String(present.includes(type)));
      return chip;
    }));
  };
  place.addEventListener("click", ({ target }) => {
    const { type } = target.dataset;
    if (!type) return;
    const present = has();
    input.value = (present.includes(type) ? present.filter((it) => it !== type) : [...present, type]).join(", ");
    input.dispatchEvent(new Event("change", { bubbles: true }));
    place.querySelector(`[data-type="${CSS.escape(type)}"]`)?.focus();
  });
  for (const kind of ["input", "change"]) input.addEventListener(kind, draw);
  return draw;
}

// ---- the last events

const REASONS = {
  matches: "matches",
  event_type: "another type",
  trigger: "no such change",
  condition: "the condition is false",
  condition_failed: "the condition cannot be evaluated",
  not_active: "not active",
};

function table(events) {
  const body = make("tbody", "");
  for (const { type, accepted_at: at, matches, reason, detail } of events) {
    const state = make("span", `state ${matches ? "success" : "skipped"}`, matches ? "matches" : "does not match");
    const time = make("time", "", new Date(at).toLocaleString());
    time.dateTime = at;
    const why = make("td", "text", matches ? "" : detail ?? REASONS[reason] ?? reason);
    body.append(make("tr", "", make("td", "", state), make("td", "", type), make("td", "", time), why));
  }
  const head = make("tr", "", ...["Result", "Type", "Accepted", "Why not"].map((name) => make("th", "", name)));
  const element = make("div", "table", make("table", "", make("thead", "", head), body));
  element.tabIndex = 0;
  return element;
}

/** Makes the step of the events live; `written` returns what a field says. */
export async function startEvents(form, base, written) {
  const field = (member) => form.querySelector(`[data-member="${member}"]`);
  const [types, condition] = [field("event_types"), field("condition")];
  const draw = chips(types);
  form.querySelectorAll("[data-complete]").forEach(complete);
  const place = document.getElementById("matches");
  const count = document.getElementById("matches-count");
  let request = null;
  const match = async () => {
    request?.abort();
    request = new AbortController();
    const status = { field: written(field("trigger.status.field")), from: written(field("trigger.status.from")), to: written(field("trigger.status.to")) };
    const trigger = { fields: written(field("trigger.fields")) ?? [] };
    if (Object.values(status).some((value) => value !== undefined)) trigger.status = status;
    const body = { event_types: written(types) ?? [], condition: written(condition) };
    if (trigger.status || trigger.fields.length) body.trigger = trigger;
    try {
      const { events } = await api("POST", `${base}/match`, body, request.signal);
      for (const { type } of events) words.types.add(type);
      draw();
      const n = events.filter(({ matches }) => matches).length;
      count.textContent = events.length ? `${n} of ${events.length} match` : "";
      place.replaceChildren(events.length ? table(events) : make("p", "hint", "No event has come in yet. You can go on without."));
      condition.removeAttribute("aria-invalid");
    } catch (error) {
      if (error.name === "AbortError") return;
      const at = error.problem?.field?.slice(1).replaceAll("/", ".");
      condition.toggleAttribute("aria-invalid", at === "condition");
      count.textContent = "";
      place.replaceChildren(make("p", "problem", at ? `${at}: ${error.message}` : error.message));
    }
  };
  let timer;
  const section = form.querySelector("[data-section=events]");
  for (const kind of ["input", "change"]) {
    section.addEventListener(kind, () => {
      clearTimeout(timer);
      timer = setTimeout(match, 250);
    });
  }
  draw();
  match();
  try {
    const { data } = await api("GET", `${base}/event-types?limit=200`);
    for (const { name, example } of data) {
      words.types.add(name);
      learn(example);
    }
    draw();
  } catch {
    // Without a catalog there is nothing to complete.
  }
}
