// The set-up page: tabs of snippets, the .env download, and the card that waits for the first trace.

/** Tabs: one panel at a time, arrow keys as screen readers expect them. */
function select(tab) {
  for (const other of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

/** Offer text as a file; it never leaves the browser. */
function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target : null;
  const tab = at?.closest("[data-tabs] [role=tab]");
  if (tab) return select(tab);
  const file = at?.closest("[data-download]");
  if (file) download(file.dataset.download, file.dataset.text);
});

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[data-tabs] [role=tab]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!tab || !step) return;
  const tabs = [...tab.parentElement.children];
  const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
  select(next);
  next.focus();
});

document.addEventListener("htmx:afterSwap", (event) => {
  const mark = event.target.querySelector?.("[data-new-key]") && document.querySelector("[data-step-key]");
  if (!mark) return;
  mark.dataset.done = "";
  mark.replaceChildren(document.getElementById("step-done").content.cloneNode(true));
});

const waiting = document.querySelector("[data-live-first-trace]");
const began = Date.now();
let asking = false;

/** Fetch the card again: access is checked there, and it says whether a trace is stored. */
async function refresh() {
  if (asking || waiting.querySelector("[data-arrived]")) return;
  asking = true;
  try {
    const answer = await fetch(waiting.dataset.url, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    if (holder.content.querySelector("[data-arrived]")) {
      waiting.querySelector("#first-trace").replaceWith(holder.content);
    }
  } catch {
    // The server is away; the next message, or coming back to the page, asks again.
  } finally {
    asking = false;
  }
}

if (waiting) {
  // Also told when the socket opens: a trace may have come between the page and its socket.
  document.addEventListener("litefuse:traces", refresh);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  setInterval(() => {
    const clock = waiting.querySelector("[data-elapsed]");
    if (!clock) return;
    const seconds = Math.floor((Date.now() - began) / 1000);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }, 1000);
}
