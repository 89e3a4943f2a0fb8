// Uploads a plugin's component that is dropped or chosen, and shows the host's verdict.

const form = document.querySelector("[data-upload]");
const verdict = form?.querySelector(".verdict");

function show(kind, ...parts) {
  const line = document.createElement("p");
  line.className = kind;
  line.append(...parts);
  verdict.replaceChildren(line);
}

async function upload(file) {
  show("hint", `Checking ${file.name} …`);
  const headers = { "content-type": "application/wasm" };
  const signature = form.elements.signature?.value.trim();
  if (signature) headers["hookmill-plugin-signature"] = signature;
  const response = await fetch(form.dataset.upload, { method: "POST", headers, body: file });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    show("problem", `${file.name} was refused: ${answer.detail ?? `the host responded with ${response.status}`}`);
    return;
  }
  const link = document.createElement("a");
  link.href = `${form.dataset.page}/${encodeURIComponent(answer.name)}?version=${encodeURIComponent(answer.version)}`;
  link.textContent = `${answer.name} ${answer.version}`;
  show("notice", response.status === 201 ? "Accepted: " : "Already here: ", link, `, ${answer.size_bytes.toLocaleString("en")} bytes. ${answer.summary}`);
}

async function take(file) {
  if (!file) return;
  try {
    await upload(file);
  } catch (error) {
    show("problem", `${file.name} could not be sent: ${error.message}`);
  }
}

if (form) {
  const drop = form.querySelector(".drop");
  form.elements.component.addEventListener("change", (event) => {
    take(event.target.files[0]);
    // The same file can be chosen again, after it was built again.
    event.target.value = "";
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
  form.addEventListener("submit", (event) => event.preventDefault());
}
