// The usage page: follows the sockets of the organization's projects, and asks for the hour that is not over
// when one of them says that something was stored. A budget's form shows the fields of what it limits.
const REFRESH_EVERY = 1000; // ms

let sockets = [];
let followed = null; // the element that asks
let timer = 0;
let toldAt = 0;

function tell() {
  if (timer || document.hidden) return;
  timer = setTimeout(() => {
    timer = 0;
    toldAt = Date.now();
    if (followed?.isConnected) window.htmx.trigger(followed, "litefuse:stored");
  }, Math.max(toldAt + REFRESH_EVERY - Date.now(), 0));
}

function open(path, pause = 500) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    pause = 500;
    if (message.type === "traces") tell();
  };
  socket.onclose = () => {
    if (!sockets.includes(socket)) return;
    sockets = sockets.filter((each) => each !== socket);
    setTimeout(() => followed?.isConnected && open(path, Math.min(pause * 2, 30000)), pause);
  };
  sockets.push(socket);
}

function look() {
  const element = document.querySelector("[data-usage-live]");
  if (element === followed) return;
  const old = sockets;
  sockets = [];
  old.forEach((socket) => socket.close());
  followed = element;
  for (const path of element?.dataset.usageLive.split(" ").filter(Boolean) ?? []) open(path);
}

/** Of a budget's fields only those that its scope has. */
function fit(form) {
  const scope = form.querySelector("[name=scope]")?.value;
  const shows = { key: scope === "key", value: ["user", "model", "tag"].includes(scope) };
  for (const [name, shown] of Object.entries(shows)) {
    const field = form.querySelector(`[name=${name}]`)?.closest(".field");
    if (field) field.hidden = !shown;
  }
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-budget-form]");
  if (form) fit(form);
  const filters = event.target.closest?.("[data-usage-filters]");
  if (filters && event.target.matches("select")) filters.requestSubmit();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-unset]");
  if (button) button.form.querySelector(`input[type=hidden][name="${button.dataset.unset}"]`).remove();
});
// Empty fields are no filters: they stay out of the address.
document.addEventListener("formdata", (event) => {
  if (!event.target.matches("[data-usage-filters]")) return;
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
});
document.addEventListener("htmx:afterSettle", look);
document.querySelectorAll("[data-budget-form]").forEach(fit);
look();
