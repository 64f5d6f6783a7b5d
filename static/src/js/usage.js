// The usage page: when the socket of the organization says that something was stored it asks for the hour that is
// not over, and when sums were counted anew for the figures. A budget's form shows the fields of what it limits.
const PAUSES = { stored: 1000, counted: 5000 }; // ms between two requests

let page = null; // the element that asks
let connected = false; // what is missed before that is in the page
let asked = {}; // when last, by what
const due = new Set();
const timers = {};

function ask(what) {
  due.add(what);
  if (timers[what] || document.hidden) return;
  const wait = Math.max((asked[what] ?? 0) + PAUSES[what] - Date.now(), 0);
  timers[what] = setTimeout(() => {
    timers[what] = 0;
    asked[what] = Date.now();
    due.delete(what);
    document.querySelectorAll(`[data-asks="${what}"]`).forEach((node) => window.htmx.trigger(node, `litefuse:${what}`));
  }, wait);
}

document.addEventListener("litefuse:traces", ({ detail }) => {
  const now = document.querySelector("[data-usage]");
  if (!now) return;
  const isNew = now !== page;
  page = now;
  if (detail.missed && !isNew && connected) ask("counted");
  connected = true;
  for (const { id } of detail.traces) ask(id);
  if (detail.missed) ask("stored");
});
document.addEventListener("visibilitychange", () => !document.hidden && [...due].forEach(ask));

// What somebody unfolded stays so when the figures are written anew.
let unfolded = [];
const folds = () => [...document.querySelectorAll("[data-usage] details")];
document.addEventListener("htmx:beforeSwap", () => (unfolded = folds().map((node) => node.open)));
document.addEventListener("htmx:afterSettle", () => folds().forEach((node, at) => unfolded[at] && (node.open = true)));

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
document.querySelectorAll("[data-budget-form]").forEach(fit);
