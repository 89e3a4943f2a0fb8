// Forms of the settings: each is one request of the API, whose JSON has the fields that were changed.

import { api, confirmed, showProblem, swap } from "./app.js";

const isJson = (text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** Returns the JSON text of a field; numbers keep their digits. */
function text({ value, dataset, required }) {
  if (dataset.kind === "lines") return JSON.stringify(value.split("\n").map((one) => one.trim()).filter(Boolean));
  if (value.trim() === "" && !required) return "null";
  if (dataset.kind === "json") {
    JSON.parse(value);
    return value;
  }
  // A number, true or false is one; a text needs no quotes.
  if (dataset.kind === "value" && isJson(value)) return value;
  return JSON.stringify(value);
}

function body(form) {
  const members = [];
  for (const field of form.elements) {
    if (!field.name || field.dataset.path !== undefined) continue;
    const changed = field.tagName === "SELECT" || field.required || field.value !== field.defaultValue;
    if (!changed && field.dataset.always === undefined) continue;
    if (field.dataset.always !== undefined && field.value.trim() === "") continue;
    try {
      members.push(`${JSON.stringify(field.name)}: ${text(field)}`);
    } catch (error) {
      throw new Error(`${field.name} is not JSON: ${error.message}`);
    }
  }
  return members.length || form.dataset.settings.startsWith("P") ? `{${members.join(", ")}}` : undefined;
}

function tell(form, message, secret) {
  const place = form.querySelector(".notice");
  if (!place) return;
  place.hidden = !message;
  place.textContent = message ?? "";
  if (secret) {
    const code = document.createElement("code");
    code.className = "id";
    code.dataset.copy = "";
    code.textContent = secret;
    place.append(code);
  }
}

async function send(form) {
  const [method, path] = form.dataset.settings.split(" ");
  const fields = form.elements;
  const target = path.replace(/\{(\w+)\}/, (_, name) => encodeURIComponent(fields[name].value));
  const isTest = path.endsWith("/test-notification");
  const answer = await api(method, target, isTest ? undefined : body(form));
  if (form.dataset.then) {
    location.assign(form.dataset.then);
    return;
  }
  const { shows, refreshes, done } = form.dataset;
  if (shows) tell(form, "Copy the key now. It is not shown again: ", answer[shows]);
  else tell(form, done ?? "Saved.");
  // What was saved is what is compared with from now on.
  if (method === "POST") form.reset();
  else for (const field of fields) if (field.name) field.defaultValue = field.value;
  if (refreshes) await swap(document.getElementById(refreshes));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.settings) return;
  event.preventDefault();
  showProblem(form, null);
  tell(form, null);
  const { confirmText } = form.dataset;
  if (confirmText && !(await confirmed(confirmText, form.querySelector("button").textContent))) return;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await send(form);
  } catch (error) {
    showProblem(form, error);
  }
  button.disabled = false;
});
