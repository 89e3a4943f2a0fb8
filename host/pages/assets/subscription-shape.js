// The shape of a subscription's requests: its plugin with a form drawn from the JSON Schema, headers and parameters.
import { make } from "/assets/subscription.js";

const select = document.getElementById("plugin");
const place = document.getElementById("config");
const version = document.getElementById("plugin-version");

/** Members of the configuration: their names with functions that return what is written, or undefined. */
let written = {};
/** Members that the schema does not draw; they stay as they are. */
let others = {};

const isRaw = (value) => JSON.isRawJSON?.(value) ?? false;
const exact = (text) => (JSON.rawJSON && /^-?\d/.test(text) ? JSON.rawJSON(text) : Number(text));

function parsed(element) {
  try {
    element.setCustomValidity("");
    return JSON.parse(element.value, (_, value, context) => (typeof value === "number" && context?.source ? exact(context.source) : value));
  } catch (error) {
    element.setCustomValidity(`This is not JSON: ${error.message}`);
    return undefined;
  }
}

/** Draws one member; returns its element and a function that reads it. */
function member(name, schema, value) {
  const id = `config-${name}`;
  const text = value === undefined || value === null ? "" : typeof value === "string" ? value : isRaw(value) ? value.rawJSON : JSON.stringify(value);
  const type = [schema.type].flat().find((one) => one !== "null");
  const options = schema.enum ?? (type === "boolean" ? [true, false] : null);
  let [input, read] = [make("input", ""), (it) => it.value];
  if (options) {
    input = make("select", "", make("option", "", ""));
    for (const option of options) input.append(make("option", "", typeof option === "string" ? option : JSON.stringify(option)));
    read = (it) => options[it.selectedIndex - 1];
  } else if (type === "integer" || type === "number") {
    input.inputMode = "decimal";
    read = (it) => {
      const good = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(it.value.trim());
      it.setCustomValidity(good ? "" : "This is not a number");
      return good ? exact(it.value.trim()) : undefined;
    };
  } else if (type === "array" && [undefined, "string"].includes(schema.items?.type)) {
    input = make("textarea", "short");
    read = (it) => it.value.split("\n").map((line) => line.trim()).filter(Boolean);
  } else if (type !== "string") {
    input = make("textarea", "short");
    read = parsed;
  } else if ((schema.maxLength ?? Infinity) > 300 && /program|template|code|script/.test(name)) {
    input = make("textarea", "");
  }
  input.id = id;
  input.spellcheck = false;
  input.value = type === "array" && Array.isArray(value) && read !== parsed ? value.join("\n") : text;
  if (schema.default !== undefined && "placeholder" in input) input.placeholder = JSON.stringify(schema.default);
  const label = make("label", "", name);
  label.htmlFor = id;
  const field = make("div", "field", label, input);
  const hint = [schema.description, input.tagName === "TEXTAREA" && read !== parsed && type === "array" ? "One per line." : "", read === parsed ? "JSON." : ""];
  field.append(make("span", "hint", hint.filter(Boolean).join(". ").replaceAll("..", ".")));
  input.required = schema.isRequired ?? false;
  return [field, () => {
    if (input.value === "") {
      input.setCustomValidity("");
      return undefined;
    }
    return read(input);
  }];
}

/** Draws the form of the chosen plugin, with these values. */
export function showPlugin(values = {}) {
  const option = select.selectedOptions[0];
  document.getElementById("plugin-settings").hidden = !select.value;
  document.getElementById("plugin-summary").textContent = option?.dataset.summary ?? "";
  written = {};
  others = {};
  if (!select.value) return place.replaceChildren(place.firstElementChild);
  const schema = JSON.parse(option.dataset.schema || "{}");
  version.placeholder = option.dataset.version ?? "";
  const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => {
    const [field, read] = member(name, { ...one, isRequired: schema.required?.includes(name) }, values[name]);
    written[name] = read;
    return field;
  });
  for (const [name, value] of Object.entries(values)) if (!written[name]) others[name] = value;
  if (!fields.length) fields.push(make("p", "hint", "This plugin has no settings."));
  place.replaceChildren(place.firstElementChild, ...fields);
}

/** Chooses a subscription's plugin. */
export function fillPlugin(plugin) {
  if (plugin && ![...select.options].some(({ value }) => value === plugin.name)) {
    const option = make("option", "", plugin.name);
    option.value = plugin.name;
    select.append(option);
  }
  select.value = plugin?.name ?? "";
  version.value = plugin?.follows ?? plugin?.version ?? "";
  showPlugin(plugin?.config ?? {});
}

/** Returns the plugin as the form says it. */
export function config() {
  if (!select.value) return undefined;
  const values = { ...others };
  for (const [name, read] of Object.entries(written)) {
    const value = read();
    if (value !== undefined) values[name] = value;
  }
  const plugin = { name: select.value, config: values };
  if (version.value.trim()) plugin.version = version.value.trim();
  return plugin;
}

// Another plugin has other versions.
select.addEventListener("change", () => (version.value = ""));

// ---- headers and parameters

/** Adds a row; the value of a secret header is kept in a change, and has to be given again in a copy. */
export function addRow(kind, { name = "", value = "", secret = false } = {}, copied = false) {
  const row = make("div", "row pair");
  const fields = [["name", name, "Name"], ["value", secret && copied ? "" : value, "Value"]];
  for (const [key, text, label] of fields) {
    const input = make("input", "grow");
    Object.assign(input, { value: text, placeholder: label, spellcheck: false, autocomplete: "off", required: key === "name" });
    input.dataset.key = key;
    input.setAttribute("aria-label", label);
    row.append(input);
  }
  if (kind === "headers") {
    const check = make("input", "");
    Object.assign(check, { type: "checkbox", checked: secret });
    check.dataset.key = "secret";
    row.append(make("label", "", check, "Secret"));
  }
  const remove = make("button", "small", "Remove");
  remove.type = "button";
  remove.addEventListener("click", () => row.remove());
  row.append(remove);
  document.querySelector(`[data-rows=${kind}] .rows`).append(row);
  if (!name) row.querySelector("input").focus();
}

/** Returns the rows. */
export function rows(kind) {
  return [...document.querySelectorAll(`[data-rows=${kind}] .pair`)].map((row) => {
    const of = (key) => row.querySelector(`[data-key=${key}]`);
    const one = { name: of("name").value.trim(), value: of("value").value };
    return kind === "headers" ? { ...one, secret: of("secret").checked } : one;
  });
}
