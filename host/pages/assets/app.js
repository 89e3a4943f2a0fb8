// What all pages share: the box that finds, copying, confirmation, forms as JSON, live parts.

// "/" goes to the box that finds, unless one is typing.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.querySelector("[data-find]");
    if (box) {
      event.preventDefault();
      box.select();
      box.focus();
    }
  }
});

// A click copies an id, or the text of the element before a button.
async function copy(element) {
  const source = element.dataset.copy === "previous" ? element.previousElementSibling : element;
  const text = source.value ?? source.textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the browser has no clipboard: what was selected can be copied by hand.
    getSelection().selectAllChildren(source);
    return;
  }
  element.classList.add("copied");
  setTimeout(() => element.classList.remove("copied"), 1200);
}
document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-copy]");
  if (element) copy(element);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

/** Asks in a dialog; resolves to whether the person agrees. */
export function confirmed(question, label = "Yes") {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const text = document.createElement("p");
    text.textContent = question;
    const form = document.createElement("form");
    form.method = "dialog";
    form.className = "row";
    for (const [value, name, kind] of [["no", "Cancel", ""], ["yes", label, "danger"]]) {
      const button = document.createElement("button");
      button.value = value;
      button.textContent = name;
      button.className = kind;
      form.append(button);
    }
    dialog.append(text, form);
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}

/** Makes a request of the API with the session's key. Returns the response's JSON; throws a problem's detail. */
export async function api(method, path, body, signal) {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(path, { method, body: text, signal, headers: { "content-type": "application/json" } });
  const answer = await response.text();
  let parsed = null;
  try {
    parsed = answer && JSON.parse(answer);
  } catch {
    parsed = { detail: answer };
  }
  if (response.ok) return parsed;
  if (response.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  const error = new Error(parsed?.detail ?? `the host responded with ${response.status}`);
  error.problem = parsed;
  throw error;
}

/** Shows a problem in a form's place for it. */
export function showProblem(form, error) {
  const place = form.querySelector(".problem");
  if (!place) return;
  const field = error?.problem?.field;
  place.textContent = error ? (field ? `${field.slice(1)}: ${error.message}` : error.message) : "";
  place.hidden = !error;
}

// A form that asks before it is sent, and one that is sent as JSON.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.confirm && !form.dataset.agreed) {
    event.preventDefault();
    if (await confirmed(form.dataset.confirm, form.querySelector("button")?.textContent)) {
      form.dataset.agreed = "yes";
      form.requestSubmit();
    }
    return;
  }
  if (form.dataset.json) {
    event.preventDefault();
    const [method, path] = form.dataset.json.split(" ");
    const body = {};
    for (const [name, value] of new FormData(form)) {
      if (value !== "") body[name] = value;
    }
    try {
      showProblem(form, null);
      const made = await api(method, path, body);
      location.assign(form.dataset.then.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(made?.[name] ?? "")));
    } catch (error) {
      showProblem(form, error);
    }
  }
});

/** Fetches this page again and puts its part of the same id in place of the present one, unless nothing changed. */
export async function swap(element, address = location.href) {
  const response = await fetch(address, { headers: { "x-swap": element.id } });
  if (!response.ok || response.redirected) return false;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById(element.id);
  if (fresh && fresh.innerHTML !== element.innerHTML && !element.contains(document.activeElement)) {
    element.innerHTML = fresh.innerHTML;
  }
  return true;
}

// Live parts are fetched again while the page is seen.
for (const element of document.querySelectorAll("[data-live]")) {
  const every = Number(element.dataset.live);
  const next = async (wait) => {
    await new Promise((resolve) => setTimeout(resolve, wait));
    let fine = true;
    if (document.visibilityState === "visible") {
      try {
        fine = await swap(document.getElementById(element.id));
      } catch {
        fine = false;
      }
    }
    // A host that restarts or a session that ended is asked less often.
    next(fine ? every : Math.min(wait * 2, 30_000));
  };
  next(every);
}
