// The history: choosing many rows and resending them, replays, a delivery's command line, and following what changes.

import { api, confirmed, showProblem } from "./app.js";

const busy = { running: false, stop: false };
const selection = document.querySelector("[data-selection]");

// Choosing rows -----------------------------------------------------------------------------------------------------------

if (selection) {
  const $ = (name) => selection.querySelector(`[data-${name}]`);
  const all = document.querySelector("[data-all]");
  const picks = [...document.querySelectorAll("[data-pick]")];
  let every = false; // all that match, on all pages

  const count = () => {
    const n = picks.filter((pick) => pick.checked).length;
    if (n < picks.length) every = false;
    all.checked = n === picks.length;
    all.indeterminate = n > 0 && n < picks.length;
    $("every").hidden = every || !("more" in selection.dataset) || n < picks.length;
    $("count").textContent = every
      ? "All that match are chosen, on all pages."
      : n === 0 ? "Choose rows to resend or cancel them." : `${n} chosen`;
    for (const button of selection.querySelectorAll("[data-do]")) button.disabled = n === 0;
  };
  let last = null;
  for (const pick of picks) {
    // With the shift key, all rows between the last choice and this one.
    pick.addEventListener("click", (event) => {
      if (event.shiftKey && last) {
        const [from, to] = [picks.indexOf(last), picks.indexOf(pick)].sort((a, b) => a - b);
        for (const other of picks.slice(from, to + 1)) other.checked = pick.checked;
      }
      last = pick;
      count();
    });
  }
  all.addEventListener("change", () => {
    for (const pick of picks) pick.checked = all.checked;
    count();
  });
  $("every").addEventListener("click", () => {
    every = true;
    count();
  });
  $("stop").addEventListener("click", () => {
    busy.stop = true;
  });
  count();

  // Yields the ids of the chosen deliveries; for all that match, page by page.
  const base = `/v1/spaces/${selection.dataset.space}/deliveries`;
  async function* chosen() {
    if (!every) {
      yield picks.filter((pick) => pick.checked).map((pick) => pick.value);
      return;
    }
    let cursor = null;
    do {
      const query = new URLSearchParams(selection.dataset.query);
      query.set("limit", "200");
      if (cursor) query.set("cursor", cursor);
      const page = await api("GET", `${base}?${query}`);
      cursor = page.next_cursor;
      yield page.data.map(({ id }) => id);
    } while (cursor && !busy.stop);
  }

  async function run(what) {
    const total = every ? null : picks.filter((pick) => pick.checked).length;
    const bar = $("running").querySelector("progress");
    let done = 0;
    const refused = new Map();
    const show = () => {
      if (total) bar.value = (done + [...refused.values()].reduce((a, b) => a + b, 0)) / total;
      else bar.removeAttribute("value");
      const others = [...refused.values()].reduce((a, b) => a + b, 0);
      $("progress").textContent = `${done}${total ? ` of ${total}` : ""} done${others ? `, ${others} refused` : ""}`;
    };
    Object.assign(busy, { running: true, stop: false });
    $("choose").hidden = true;
    $("running").hidden = false;
    showProblem(selection, null);
    try {
      for await (const ids of chosen()) {
        for (const id of ids) {
          if (busy.stop) break;
          try {
            if (what === "cancel") await api("POST", `${base}/${id}/cancel`);
            else await api("POST", `${base}/${id}/resend`, { mode: what });
            done += 1;
          } catch (error) {
            // One that cannot be resent does not stop the others; a host that does not respond does.
            if (!error.problem?.code || error.problem.status >= 500) throw error;
            refused.set(error.message, (refused.get(error.message) ?? 0) + 1);
          }
          show();
        }
        if (busy.stop) break;
      }
    } catch (error) {
      showProblem(selection, error);
    }
    busy.running = false;
    $("stop").hidden = true;
    const verb = what === "cancel" ? "canceled" : "sent again";
    $("progress").textContent = `${done} ${verb}${busy.stop ? ", then stopped" : ""}. `;
    const reload = document.createElement("a");
    reload.href = location.href;
    reload.className = "button";
    reload.textContent = "Show them as they are now";
    $("running").append(reload);
    if (refused.size) {
      const text = [...refused].map(([why, n]) => `${n} × ${why}`).join("; ");
      showProblem(selection, new Error(`Refused: ${text}`));
    }
    reload.focus();
  }

  selection.addEventListener("click", async (event) => {
    const what = event.target.closest("[data-do]")?.dataset.do;
    if (!what || busy.running) return;
    const n = every ? "All that match" : `${picks.filter((pick) => pick.checked).length} deliveries`;
    const question = what === "cancel" ? `${n} will be canceled.` : `${n} will be sent again.`;
    if (what === "cancel" || every || picks.filter((pick) => pick.checked).length > 50) {
      if (!(await confirmed(question, what === "cancel" ? "Cancel deliveries" : "Resend"))) return;
    }
    run(what);
  });
  window.addEventListener("beforeunload", (event) => {
    if (busy.running) event.preventDefault();
  });
}

// A form of filters leaves out what is empty, so that its address stays short.
for (const form of document.querySelectorAll("form[data-tidy]")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });
}

// Replays -----------------------------------------------------------------------------------------------------------------

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.replay) return;
  event.preventDefault();
  const fields = new FormData(form);
  const time = (name) => {
    const value = fields.get(name);
    return value ? new Date(`${value}Z`).toISOString() : undefined;
  };
  const types = (fields.get("event_types") ?? "").split(/[\s,]+/).filter(Boolean);
  const body = {
    what: fields.get("what"),
    since: time("since"),
    until: time("until"),
    event_types: types.length ? types : undefined,
    deliveries_per_s: Number(fields.get("deliveries_per_s")) || undefined,
    only_missing: fields.has("only_missing") || undefined,
  };
  try {
    showProblem(form, null);
    const { id } = await api("POST", form.dataset.replay, body);
    location.assign(form.dataset.then.replace("{id}", encodeURIComponent(id)));
  } catch (error) {
    showProblem(form, error);
  }
});

// A command line with a fresh signature --------------------------------------------------------------------------------------

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Returns a request as a command line. A body that is no text goes through base64. */
function curl({ method, url, headers, body_base64: base64 }) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  let text = null;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8.
  }
  const isText = text !== null && !text.includes("\0");
  const lines = [`curl -i -X ${method} ${quoted(url)}`];
  for (const { name, value } of headers) {
    // curl computes these itself.
    if (!["content-length", "host"].includes(name.toLowerCase())) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  }
  if (bytes.length) lines.push(isText ? `--data-raw ${quoted(text)}` : "--data-binary @-");
  const command = lines.join(" \\\n  ");
  return isText ? command : `printf %s ${quoted(base64)} | base64 -d | ${command}`;
}

const showSignButton = () => {
  for (const button of document.querySelectorAll("[data-sign]")) button.hidden = false;
};
showSignButton();
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-sign]");
  if (!button) return;
  const place = document.querySelector("[data-signed]");
  const hint = place.querySelector("[data-signed-hint]");
  const pre = place.querySelector("pre");
  try {
    const signed = await api("POST", button.dataset.sign);
    pre.textContent = curl(signed);
    hint.textContent = "Signed now: receivers accept the signature for some minutes."
      + (signed.masked ? " Secrets stand in it as ***: put them in before you run it." : "");
    await navigator.clipboard?.writeText(pre.textContent).then(() => {
      hint.textContent = `Copied. ${hint.textContent}`;
    }, () => {});
  } catch (error) {
    hint.textContent = error.message;
    pre.textContent = "";
  }
  place.hidden = false;
});

// Following ------------------------------------------------------------------------------------------------------------------

// A delivery or a replay is shown again when it changed, until it is final. What the reader opened stays open.
async function follow(id, wait) {
  const every = Number(document.getElementById(id).dataset.follow);
  await new Promise((resolve) => setTimeout(resolve, wait));
  let fine = document.visibilityState !== "visible";
  if (!fine) {
    try {
      fine = await refresh(id);
    } catch {
      fine = false;
    }
  }
  const final = "final" in document.getElementById(id).dataset;
  if (!final) follow(id, fine ? every : Math.min(wait * 2, 30_000));
}

async function refresh(id) {
  const response = await fetch(location.href, { headers: { "x-swap": id } });
  if (!response.ok || response.redirected) return false;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(id);
  const shown = document.getElementById(id);
  if (!fresh || fresh.dataset.mark === shown.dataset.mark) return true;
  for (const details of shown.querySelectorAll("details[id]")) {
    const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (same && details.open) same.open = true;
  }
  const signed = shown.querySelector("[data-signed]:not([hidden])");
  if (signed) fresh.querySelector("[data-signed]")?.replaceWith(signed);
  shown.replaceWith(document.adoptNode(fresh));
  showSignButton();
  return true;
}

for (const element of document.querySelectorAll("[data-follow]:not([data-final])")) {
  follow(element.id, Number(element.dataset.follow));
}
