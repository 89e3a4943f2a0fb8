// Requests as people read them: text, differences, golden pairs.

/** Indents JSON and keeps each number and text as it is written. What is no JSON is returned as it is. */
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let [out, depth] = ["", 0];
  const fresh = () => `\n${"  ".repeat(depth)}`;
  for (const [at, token] of tokens.entries()) {
    const next = tokens[at + 1];
    if ("{[".includes(token)) {
      depth += 1;
      out += token + ("}]".includes(next) ? "" : fresh());
    } else if ("}]".includes(token)) {
      depth -= 1;
      out += ("{[".includes(tokens[at - 1]) ? "" : fresh()) + token;
    } else if (token === ",") out += token + fresh();
    else if (token === ":") out += ": ";
    else out += token;
  }
  return out;
}

/** Returns the line that a message names: by its number, or by the code that it quotes. */
export function line(message, text) {
  const [, named] = message.match(/\bline (\d+)/i) ?? message.match(/:(\d+)\)/) ?? [];
  if (named) return Number(named);
  const [, position] = message.match(/position (\d+)/) ?? [];
  if (position) return text.slice(0, Number(position)).split("\n").length;
  const [, quoted] = message.match(/`([^`]+)`/) ?? [];
  const at = quoted ? text.indexOf(quoted) : -1;
  if (at >= 0) return text.slice(0, at).split("\n").length;
  return /at the end\b/.test(message) ? text.trimEnd().split("\n").length : null;
}

function bodyText({ body, body_encoding: encoding }, type) {
  if (encoding === "base64") return `(binary, base64)\n${body}`;
  if (type.startsWith("application/x-www-form-urlencoded")) {
    return [...new URLSearchParams(body)].map(([name, value]) => `${name} = ${value}`).join("\n");
  }
  return pretty(body);
}

const typeOf = ({ headers }) => headers.find(({ name }) => name.toLowerCase() === "content-type")?.value ?? "";

/** Returns the result of a preview as text. */
export function requestText({ request, skipped, plugin_fault: fault }) {
  if (skipped !== null) return `Nothing: ${skipped}`;
  if (!request) return `Nothing: the plugin failed.\n${fault?.message ?? ""}`;
  const headers = request.headers.map(({ name, value }) => `${name}: ${value}`);
  return [`${request.method} ${request.url}`, ...headers, "", bodyText(request, typeOf(request))].join("\n");
}

/** Returns the lines of two texts side by side: [left, right], where null stands for none. */
function aligned(left, right) {
  const common = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      common[i][j] = left[i] === right[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const rows = [];
  for (let [i, j] = [0, 0]; i < left.length || j < right.length; ) {
    if (i < left.length && j < right.length && left[i] === right[j]) rows.push([left[i++], right[j++]]);
    else if (j >= right.length || (i < left.length && common[i + 1][j] >= common[i][j + 1])) rows.push([left[i++], null]);
    else rows.push([null, right[j++]]);
  }
  return rows;
}

/** The most lines of a text that are compared: the time grows with their square. */
const LINES_MAX = 1500;

// What differs in each preview, whatever the plugin does.
const OWN = /^(webhook-signature|webhook-timestamp|webhook-id|[\w-]*-signature): .*/;

/** Returns elements that show one text, or two side by side with their differences. */
export function columns(texts, versions) {
  const pre = (text) => {
    const element = document.createElement("pre");
    element.tabIndex = 0;
    element.className = "wrap";
    element.textContent = text;
    return element;
  };
  if (texts.length === 1) return [pre(texts[0])];
  const lines = texts.map((text) => text.split("\n").slice(0, LINES_MAX).map((one) => one.replace(OWN, "$1: …")));
  const rows = aligned(...lines);
  const side = document.createElement("div");
  side.className = "sides";
  for (const at of [0, 1]) {
    const part = document.createElement("div");
    const head = document.createElement("h3");
    head.textContent = versions[at];
    const element = pre("");
    element.className = "diff aligned";
    for (const row of rows) {
      const same = row[0] === row[1];
      const kind = same || row[at] === null ? "span" : ["del", "ins"][at];
      const one = document.createElement(kind);
      one.textContent = row[at] === null ? " \n" : `${same ? " " : "−+"[at]} ${row[at]}\n`;
      element.append(one);
    }
    part.append(head, element);
    side.append(part);
  }
  const result = document.createElement("p");
  const different = rows.filter(([a, b]) => a !== b).length;
  result.className = "hint";
  result.textContent = different ? `${different} lines differ.` : "No differences.";
  return [result, side];
}

// Headers that the host adds to what a plugin returns.
const HOSTS = /^(content-type|content-length|user-agent|host|accept|accept-encoding|traceparent|webhook-.*|hookmill-.*)$/i;

function golden({ request, skipped, plugin_fault: fault }) {
  if (skipped !== null) return { skip: skipped };
  if (!request || fault) return { failed: { reason: fault.message, retry: fault.retry } };
  const type = typeOf(request);
  const body = type.startsWith("application/json")
    ? { json: request.body }
    : type.startsWith("application/x-www-form-urlencoded")
      ? { form: [...new URLSearchParams(request.body)] }
      : { text: request.body };
  const query = [...new URL(request.url).searchParams];
  const headers = request.headers.filter(({ name }) => !HOSTS.test(name)).map(({ name, value }) => [name, value]);
  return { deliver: { method: request.method === "POST" ? null : request.method, query, headers, body } };
}

/** Downloads a delivery and the request that was made of it. */
export function download(name, { settings, event, contentType }, result) {
  const subscription = JSON.stringify({ name: "Playground", content_type: contentType });
  const delivery = `{"attempt": 1, "subscription": ${subscription}, "config": ${settings}, "events": [${event}]}`;
  for (const [kind, text] of [["delivery", pretty(delivery)], ["request", JSON.stringify(golden(result), null, 2)]]) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "application/json" }));
    link.download = `${name}.${kind}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}
