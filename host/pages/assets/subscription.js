// The page of a subscription: its test, its secret, its diagnosis.
import { api, confirmed, showProblem, swap } from "/assets/app.js";

/** Makes an element with a class and text or children. */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Sends a test and resolves to its delivery once it is final or waits for a retry; `seen` gets each state before. */
export async function sendTest(path, seen) {
  const { delivery_id: id } = await api("POST", `${path}/test`, {});
  const address = `${path.split("/subscriptions/")[0]}/deliveries/${id}`;
  for (let wait = 100; ; wait = Math.min(wait * 1.5, 2000)) {
    const delivery = await api("GET", address);
    if (delivery.state !== "pending" || delivery.attempt_count > 0 || delivery.attempts?.length) return delivery;
    seen?.(delivery);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** Describes the result of a test, with a link to its delivery. */
export function testResult(delivery, deliveries) {
  const attempt = delivery.attempts?.at(-1);
  const good = delivery.state === "delivered";
  const state = good ? "delivered" : delivery.state === "pending" ? "retrying" : delivery.state;
  const link = make("a", "", "See what was sent and what came back");
  link.href = `${deliveries}/${delivery.id}`;
  const lines = [make("h2", "", "Test "), make("p", "", make("span", `state ${state}`, state))];
  lines[1].append(attempt?.answer ? ` The receiver responded with ${attempt.answer.status}` : "");
  if (attempt) lines[1].append(` in ${Math.round((attempt.send_us ?? 0) / 1000)} ms.`);
  if (delivery.reason) lines.push(make("p", good ? "hint" : "problem", delivery.reason));
  if (attempt?.answer?.body) {
    const body = make("pre", "wrap", make("code", "", attempt.answer.body));
    body.tabIndex = 0;
    lines.push(body);
  }
  return [...lines, make("p", "", link)];
}

const trouble = document.getElementById("trouble");
const space = location.pathname.split("/subscriptions")[0];

/** Does what a button says; shows a problem at the top of the page. */
async function act(button, work) {
  button.disabled = true;
  if (trouble) trouble.hidden = true;
  try {
    await work();
  } catch (error) {
    showProblem(document, error);
    trouble?.scrollIntoView({ block: "center" });
  }
  button.disabled = false;
}

function showSecret({ secret, public_key: publicKey, previous }, fresh) {
  const place = document.getElementById("secret");
  const code = make("code", "id", secret);
  const button = make("button", "small", "Copy");
  button.type = "button";
  button.dataset.copy = "previous";
  place.replaceChildren();
  if (fresh) place.append(make("p", "notice", "This is the new secret. Give it to the receiver now; it is not shown again on its own."));
  place.append(make("p", "row", code, button));
  if (publicKey) place.append(make("p", "", "Public key: ", make("code", "id", publicKey)));
  if (previous) place.append(make("p", "hint", `Requests are signed with ${previous} previous secret(s), too.`));
  place.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const { test, secret, rotate, diagnose } = button?.dataset ?? {};
  if (test) {
    act(button, async () => {
      const result = document.getElementById("result");
      result.hidden = false;
      result.replaceChildren(make("p", "hint", "Sending a test event…"));
      try {
        result.replaceChildren(...testResult(await sendTest(test), `${space}/deliveries`));
        await swap(document.getElementById("live"));
      } catch (error) {
        result.hidden = true;
        throw error;
      }
    });
  }
  if (secret) act(button, async () => showSecret(await api("GET", secret), false));
  if (rotate) {
    act(button, async () => {
      const question = "Rotate the signing secret? Schemes other than Standard Webhooks sign with the new one only, from now on.";
      if (await confirmed(question, "Rotate")) showSecret(await api("POST", rotate, {}), true);
    });
  }
  if (diagnose) {
    act(button, async () => {
      const place = document.getElementById("findings");
      place.replaceChildren(make("p", "hint", "Checking…"));
      try {
        const { findings } = await api("POST", diagnose, {});
        place.replaceChildren(findingsTable(findings));
      } catch (error) {
        place.replaceChildren();
        throw error;
      }
    });
  }
});

const SHAPES = { ok: "success", warning: "running", problem: "failed", skipped: "skipped" };
function findingsTable(findings) {
  const body = make("tbody", "");
  for (const { check, result, finding, what_to_do: todo } of findings) {
    const text = make("td", "text", finding);
    if (todo) text.append(make("br", ""), make("strong", "", todo));
    const state = make("td", "", make("span", `state ${SHAPES[result]}`, result));
    body.append(make("tr", "", make("td", "", check.replaceAll("_", " ")), state, text));
  }
  const head = make("tr", "", make("th", "", "Check"), make("th", "", "Result"), make("th", "", "Finding"));
  const table = make("div", "table", make("table", "", make("thead", "", head), body));
  table.tabIndex = 0;
  return table;
}
