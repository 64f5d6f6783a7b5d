// One trace: folding, finding and moving in the tree, timeline mode, and growing as spans arrive.
import htmx from "htmx.org";
import { remember } from "./ui.js";

const page = () => document.querySelector('[data-page="trace"]');
const lines = () => [...document.querySelectorAll("#trace-tree .tree-line")];
const depth = (line) => Number(line.dataset.depth);
const folded = new Set(); // ids whose children are hidden; outlives refetched trees

function applyFolds() {
  let hiddenBelow = Infinity;
  for (const line of lines()) {
    const hidden = depth(line) > hiddenBelow;
    line.hidden = hidden;
    if (hidden) continue;
    const isFolded = folded.has(line.dataset.id);
    hiddenBelow = isFolded ? depth(line) : Infinity;
    line.querySelector("[data-fold]")?.setAttribute("aria-expanded", String(!isFolded));
  }
}

function toggleFold(id, want = !folded.has(id)) {
  if (want) folded.add(id);
  else folded.delete(id);
  applyFolds();
}

function foldAll() {
  const parents = lines().filter((line) => line.querySelector("[data-fold]"));
  const open = folded.size === 0;
  folded.clear();
  if (open) for (const line of parents.filter((line) => depth(line) > 0)) folded.add(line.dataset.id);
  applyFolds();
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  for (const line of lines()) {
    const hit = wanted && line.querySelector(".t-link").textContent.toLowerCase().includes(wanted);
    line.classList.toggle("is-hit", Boolean(hit));
    line.classList.toggle("is-miss", Boolean(wanted) && !hit);
  }
  document.querySelector(".tree-line.is-hit")?.scrollIntoView({ block: "nearest" });
}

function select(line) {
  for (const other of document.querySelectorAll(".tree-line.is-selected")) {
    other.classList.remove("is-selected");
    other.querySelector(".t-link").removeAttribute("aria-current");
  }
  line?.classList.add("is-selected");
  line?.querySelector(".t-link").setAttribute("aria-current", "true");
  page().toggleAttribute("data-selected", Boolean(line?.dataset.id));
}

function setMode(mode) {
  page().dataset.mode = mode;
  remember("mode", mode);
  for (const button of document.querySelectorAll("[data-mode-set]")) {
    button.setAttribute("aria-pressed", String(button.dataset.modeSet === mode));
  }
}

function move(step) {
  const shown = lines().filter((line) => !line.hidden);
  const at = shown.findIndex((line) => line.classList.contains("is-selected"));
  const next = shown[Math.min(Math.max(at + step, 0), shown.length - 1)];
  if (!next) return;
  next.querySelector(".t-link").click();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (event) => {
  if (!page() || !(event.target instanceof Element)) return;
  const fold = event.target.closest("[data-fold]");
  if (fold) return toggleFold(fold.closest(".tree-line").dataset.id);
  if (event.target.closest("[data-fold-all]")) return foldAll();
  const mode = event.target.closest("[data-mode-set]");
  if (mode) return setMode(mode.dataset.modeSet);
  if (event.target.closest("[data-panel-back]") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    return page().removeAttribute("data-selected");
  }
  const line = event.target.closest(".tree-line");
  if (line && event.target.closest(".t-link") && !event.ctrlKey && !event.metaKey) {
    select(line);
    page().setAttribute("data-selected", "");
  }
});

document.addEventListener("input", (event) => {
  if (event.target.matches?.("[data-find]")) find(event.target.value);
});

document.addEventListener("keydown", (event) => {
  if (!page() || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (event.key === "Escape") {
    if (typing) {
      event.target.value = "";
      find("");
      return event.target.blur();
    }
    if (document.querySelector("details.menu[open]")) return;
    return document.querySelector("[data-back]")?.click();
  }
  if (typing) return;
  const selected = document.querySelector(".tree-line.is-selected");
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    ArrowLeft: () => selected?.dataset.id && toggleFold(selected.dataset.id, true),
    ArrowRight: () => selected?.dataset.id && toggleFold(selected.dataset.id, false),
    f: () => document.querySelector("[data-find]")?.focus(),
    t: () => setMode(page().dataset.mode === "timeline" ? "tree" : "timeline"),
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const inTree = event.key.startsWith("Arrow") && !event.target.closest?.(".trace-left, body:not(:has(:focus))");
  if (!keys[key] || inTree) return;
  event.preventDefault();
  keys[key]();
});

/* Back and Forward between observations: the panel follows the address. */
addEventListener("popstate", () => page() && location.reload());

/* Growing */
let fetching = false;
let again = false;

async function grow() {
  if (fetching) return void (again = true);
  fetching = true;
  try {
    do {
      again = false;
      const here = page();
      const response = await fetch(location.href, {
        headers: { "HX-Request": "true", "HX-Target": "trace-tree" },
      });
      if (!response.ok || response.redirected || here !== page()) return;
      exchange(await response.text());
    } while (again);
  } finally {
    fetching = false;
  }
}

function exchange(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const next = holder.content.getElementById("trace-tree");
  const old = document.getElementById("trace-tree");
  if (!next || !old) return;
  const scroll = old.querySelector("[data-scroll]").scrollTop;
  const focused = old.contains(document.activeElement)
    ? document.activeElement.closest(".tree-line")?.dataset.id
    : undefined;
  const selected = old.querySelector(".is-selected")?.dataset.id;
  const version = old.querySelector(".is-selected")?.dataset.v;
  const grew = next.querySelectorAll(".tree-line").length !== old.querySelectorAll(".tree-line").length;
  old.replaceWith(next);
  htmx.process(next);
  const line = lines().find((other) => other.dataset.id === selected);
  if (line) {
    const wasOpen = page().hasAttribute("data-selected");
    select(line);
    page().toggleAttribute("data-selected", wasOpen);
  }
  applyFolds();
  next.querySelector("[data-scroll]").scrollTop = scroll;
  if (focused !== undefined) {
    lines().find((other) => other.dataset.id === focused)?.querySelector(".t-link").focus({ preventScroll: true });
  }
  const findText = document.querySelector("[data-find]")?.value;
  if (findText) find(findText);
  for (const also of holder.content.querySelectorAll("template[data-also]")) {
    document.getElementById(also.dataset.also)?.replaceWith(also.content);
  }
  const changed = selected === undefined ? grew : line?.dataset.v !== version;
  if (changed && !String(getSelection()) && !document.querySelector("#panel .menu[open]")) {
    const panel = document.getElementById("panel");
    const top = panel.scrollTop;
    htmx.ajax("GET", location.href, { target: "#panel", swap: "innerHTML" }).then(() => (panel.scrollTop = top));
  }
}

document.addEventListener("litefuse:traces", (event) => {
  const here = page();
  if (!here) return;
  const mine = event.detail.traces.some(({ id }) => id === here.dataset.traceId);
  const running = document.getElementById("trace-tree")?.dataset.running === "true";
  if (mine || (event.detail.missed && running)) grow();
});
