// The wire inspector: requests that arrive by themselves, one of them opened, keys. Messages carry ids alone;
// what is shown is fetched here, where access is checked again.
import { isPointedAt } from "./pointer.js";

const REFRESH_EVERY = 500; // ms

const root = () => document.querySelector("[data-wire]");
const rows = () => root()?.querySelector("[data-rows]");
const detail = () => document.getElementById("wire-detail");

let waiting = new Set(); // ids the list does not show yet
let stale = false; // whether something arrived since figures and list were last asked for
let fetching = false;
let refreshedAt = 0; // the list is fetched twice a second at most
let asked = 0; // the newest question for a detail: answers to older ones are dropped

async function get(url, part) {
  const address = new URL(url, location.href);
  address.searchParams.set("part", part);
  const response = await fetch(address, { headers: { "HX-Request": "true" } });
  if (response.redirected) return location.reload();
  if (!response.ok) throw new Error(String(response.status));
  const holder = document.createElement("template");
  holder.innerHTML = await response.text();
  return holder.content;
}

/** Whether rows must not move: the pointer is over them, or one has the keyboard. */
const paused = () => Boolean(rows()?.contains(document.activeElement) || isPointedAt(rows()));

function markOpen(id) {
  for (const row of rows()?.children ?? []) {
    if (row.dataset.id === id) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

/** Fetch figures and list again; rows stay where they are while the reader points. */
async function refresh() {
  if (fetching || document.hidden || !root()) return;
  fetching = true;
  stale = false;
  refreshedAt = Date.now();
  const heard = waiting;
  waiting = new Set();
  try {
    const next = await get(location.href, "list");
    const left = document.getElementById("wire-left");
    if (!left || !next) return;
    left.querySelector("[data-sums]").replaceWith(next.querySelector("[data-sums]"));
    if (paused()) {
      heard.forEach((id) => waiting.add(id));
      return;
    }
    const first = !rows();
    const top = rows()?.scrollTop ?? 0;
    left.querySelector("[data-list]").replaceWith(next.querySelector("[data-list]"));
    if (rows()) rows().scrollTop = top;
    const opened = detail().querySelector("[data-request]")?.dataset.request;
    if (opened) markOpen(opened);
    else if (first && rows()) open(rows().querySelector(".wire-link"), false);
  } catch {
    heard.forEach((id) => waiting.add(id));
    setTimeout(refresh, 2000);
  } finally {
    fetching = false;
    showPill();
  }
}

function showPill() {
  const list = root()?.querySelector("[data-list]");
  if (!list) return;
  const old = list.querySelector(".wire-pill");
  const count = [...waiting].filter((id) => !list.querySelector(`[data-id="${CSS.escape(id)}"]`)).length;
  if (!count) return void old?.remove();
  const pill = old ?? document.createElement("span");
  pill.className = "pill wire-pill";
  pill.textContent = root().dataset.textNew.replace("{n}", count);
  if (!old) list.append(pill);
}

async function show(url) {
  const mine = (asked += 1);
  const target = detail();
  const only = target.hasAttribute("data-only");
  try {
    const next = await get(url, "detail");
    if (mine !== asked || !next) return;
    target.replaceChildren(next);
    target.scrollTop = 0;
    const toggle = target.querySelector("[data-only-problems]");
    if (toggle) toggle.checked = only;
    markOpen(target.querySelector("[data-request]")?.dataset.request);
  } catch {
    if (mine !== asked) return;
    target.replaceChildren(document.getElementById("wire-failed").content.cloneNode(true));
    target.dataset.failed = url;
  }
}

function open(link, isAsked = true) {
  if (!link) return;
  const url = new URL(link.getAttribute("href"), location.href);
  history.replaceState(history.state, "", url);
  if (isAsked) root().dataset.open = "";
  show(url.href);
}

function close() {
  delete root().dataset.open;
}

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target : null;
  if (!at || !root() || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = at.closest(".wire-link, [data-part]");
  if (link?.hasAttribute("href")) {
    event.preventDefault();
    open(link);
  } else if (at.closest("[data-close-wire]")) close();
  else if (at.closest("#wire-detail [data-again]")) show(detail().dataset.failed ?? location.href);
});

document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-only-problems]")) detail().toggleAttribute("data-only", event.target.checked);
});

document.addEventListener("litefuse:traces", (event) => {
  if (!root()) return;
  for (const { id } of event.detail.traces) waiting.add(id);
  stale = true;
  if (Date.now() - refreshedAt > REFRESH_EVERY) refresh();
});

setInterval(() => {
  if (root() && (stale || (waiting.size && !paused()))) refresh();
}, REFRESH_EVERY);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && waiting.size) refresh();
});

/* Keys */
function move(step) {
  const links = [...(rows()?.querySelectorAll(".wire-link") ?? [])];
  const current = rows()?.querySelector("[aria-current] .wire-link");
  const at = links.indexOf(links.includes(document.activeElement) ? document.activeElement : current);
  const next = links[at < 0 ? 0 : at + step];
  if (!next) return;
  next.focus();
  next.closest("li").scrollIntoView({ block: "nearest" });
  if (matchMedia("(min-width: 1101px)").matches) open(next, false);
}

document.addEventListener("keydown", (event) => {
  if (!root() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog")) return;
  const key = event.key.toLowerCase();
  if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "l") root().querySelector("[data-live-switch]")?.click();
  else if (key === "escape") {
    close();
    document.activeElement?.blur();
  }
});
