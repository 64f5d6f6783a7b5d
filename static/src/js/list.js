// The trace list: rows that arrive by themselves, the pill while the reader points, keys, facets, the strip.
import htmx from "htmx.org";
import { isPointedAt } from "./pointer.js";
import { remember } from "./ui.js";

const MAX_ROWS = 150; // then the first page is fetched whole again
const MAX_WAITING = 150; // ids to fetch; more are told by fetching the first page
const OVERVIEW_EVERY = 5000; // ms between two refreshes of counts and strip

let list = null; // #traces of the page shown, and what belongs to it
let state = null;

const root = () => document.getElementById("traces");
const body = () => document.getElementById("trace-rows");

function fresh() {
  return {
    waiting: new Set(), // ids to fetch rows for
    held: new Map(), // rows fetched while the reader points
    fetching: false,
    again: false, // fetch the whole first page next
    stale: false, // more is new than one page holds: rows between would be left out, so exchange them all
    seen: new Set(), // ids counted into the rate
    arrivals: [], // times of new traces, for the rate
    overviewAt: 0, // when counts and facets were last asked for
    overviewDue: true,
  };
}

/** The state of the list now in the page; a swapped-in list starts afresh. */
function current() {
  const here = root();
  if (here !== list) {
    list = here;
    state = fresh();
    if (here) refreshOverview();
  }
  return here;
}

const rowOf = (id) => body()?.querySelector(`tr[data-id="${CSS.escape(id)}"]`);

/** Whether rows must not move: the pointer is over them or the pill before them, or one has the keyboard. */
function paused() {
  const rows = body();
  if (!rows) return false;
  return Boolean(rows.contains(document.activeElement) || isPointedAt(list.querySelector("#trace-rows"), list.querySelector(".pill")));
}

async function get(url, target) {
  const response = await fetch(url, { headers: { "HX-Request": "true", "HX-Target": target } });
  if (!response.ok || response.redirected) throw new Error(String(response.status));
  const holder = document.createElement("template");
  holder.innerHTML = await response.text();
  return holder.content;
}

function withIds(url, ids) {
  const address = new URL(url, location.href);
  for (const id of ids) address.searchParams.append("ids", id);
  return address;
}

/** Put a row where its time says; a row already there is exchanged in place. */
function place(row) {
  const rows = body();
  const old = rowOf(row.dataset.id);
  if (old) {
    const focused = old.contains(document.activeElement);
    old.replaceWith(row);
    if (focused) row.querySelector(".trace-link")?.focus({ preventScroll: true });
    return;
  }
  const time = Number(row.dataset.time);
  const below = [...rows.children].find((other) => Number(other.dataset.time) <= time);
  rows.insertBefore(row, below ?? null);
  row.classList.add("is-new");
  const count = list.querySelector("[data-row-count]");
  if (count) count.textContent = String(rows.children.length);
}

/** Rows below the last one belong to older pages: showing them would double them there. */
function belongs(row) {
  const last = body()?.lastElementChild;
  return !list.querySelector('[rel="next"]') || !last || Number(row.dataset.time) >= Number(last.dataset.time);
}

function take(fragment) {
  for (const row of fragment.querySelectorAll("tr[data-id]")) {
    if (rowOf(row.dataset.id)) place(row);
    else if (!belongs(row)) continue;
    else if (paused()) state.held.set(row.dataset.id, row);
    else place(row);
  }
  showPill();
}

function release() {
  if (state.stale) {
    state.again = true;
    return work();
  }
  for (const row of state.held.values()) place(row);
  state.held.clear();
  showPill();
  if (body()?.children.length > MAX_ROWS) {
    state.again = true;
    work();
  }
}

function showPill() {
  const line = list.querySelector("[data-pill-line]");
  if (!line) return;
  line.hidden = state.held.size === 0 && !state.stale;
  const count = state.stale ? `${MAX_WAITING}+` : state.held.size;
  line.querySelector("[data-pill-count]").textContent = list.dataset.textNew.replace("{n}", count);
}

/** Fetch what is due, one request at a time: content never travels over the socket, and access is checked here. */
async function work() {
  const mine = state;
  if (mine.fetching || document.hidden) return;
  mine.fetching = true;
  try {
    while ((mine.again || mine.waiting.size) && mine === state) {
      const whole = mine.again || mine.waiting.size > MAX_WAITING || !body();
      const ids = [...mine.waiting].slice(0, 100);
      if (whole) mine.waiting.clear();
      else ids.forEach((id) => mine.waiting.delete(id));
      mine.again = false;
      const url = list.dataset.listUrl;
      const fragment = await get(whole ? url : withIds(url, ids), "trace-table");
      if (mine !== state) return;
      if (whole) takePage(fragment);
      else take(fragment);
      if (body()?.children.length > MAX_ROWS && !paused()) mine.again = true;
    }
  } catch {
    setTimeout(() => mine === state && work(), 2000);
    mine.again = true;
  } finally {
    mine.fetching = false;
  }
}

/** A first page: merged where it meets the rows already there, else in their place. */
function takePage(fragment) {
  const rows = [...fragment.querySelectorAll("tr[data-id]")];
  const meets = rows.some((row) => rowOf(row.dataset.id) || state.held.has(row.dataset.id));
  state.stale = Boolean(body() && rows.length && fragment.querySelector('[rel="next"]') && !meets);
  if (body() && paused()) return state.stale ? showPill() : take(fragment);
  if (!body() || state.stale || body().children.length > MAX_ROWS) swapTable(fragment);
  else take(fragment);
}

function swapTable(fragment) {
  const table = fragment.querySelector("#trace-table");
  const old = document.getElementById("trace-table");
  state.held.clear();
  state.stale = false;
  if (table && old) {
    old.replaceWith(table);
    htmx.process(table);
  } else if (!old && fragment.querySelector("tr[data-id]")) {
    htmx.ajax("GET", list.dataset.listUrl, { target: "#traces", swap: "outerHTML" });
  }
}

/** Counts, strip and facets: once for each list, then every few seconds while traces arrive. */
async function refreshOverview() {
  if (!state.overviewDue || !document.getElementById("trace-overview")) return;
  if (state.overviewAt) {
    if (document.hidden || Date.now() - state.overviewAt < OVERVIEW_EVERY) return;
    if (list.querySelector(".overview:hover, .facets:hover, .facets:focus-within")) return;
  }
  state.overviewDue = false;
  state.overviewAt = Date.now();
  const mine = state;
  const fragment = await get(list.dataset.listUrl, "trace-overview").catch(() => null);
  if (!fragment || mine !== state) return;
  for (const id of ["trace-overview", "trace-facets"]) {
    const now = document.getElementById(id);
    const next = fragment.getElementById(id);
    if (!now || !next) continue;
    for (const facet of now.querySelectorAll("details:not([open])")) {
      next.querySelector(`[data-facet="${facet.dataset.facet}"]`)?.removeAttribute("open");
    }
    now.replaceWith(next);
    htmx.process(next);
  }
}

document.addEventListener("htmx:afterSettle", current);

/** Whether a trace has a row, or one that waits in the pill. */
const shows = (id) => Boolean(rowOf(id)) || state.held.has(id);

document.addEventListener("litefuse:traces", (event) => {
  if (!current()?.dataset.live) return;
  const { missed } = event.detail;
  // The list shows no scores, and of traces that only cost otherwise those it has.
  const lines = event.detail.traces.filter(({ id, scored, priced }) => !scored && (!priced || shows(id)));
  const traces = lines.filter((line) => !line.priced);
  state.again ||= missed;
  for (const { id } of lines) {
    if (state.waiting.size <= MAX_WAITING) state.waiting.add(id); // one more says: fetch the page
  }
  for (const { id } of traces) {
    if (!state.seen.has(id)) {
      state.seen.add(id);
      state.arrivals.push(Date.now());
    }
  }
  if (state.seen.size > 5000) state.seen.clear();
  if (state.arrivals.length > 5000) state.arrivals.splice(0, 2500);
  if (traces.length) state.overviewDue = true;
  work();
});

/* Rate, ticking rows, resuming */
function showRate() {
  const now = Date.now();
  state.arrivals = state.arrivals.filter((time) => now - time < 30000);
  const bins = Array(15).fill(0);
  for (const time of state.arrivals) bins[14 - Math.floor((now - time) / 2000)] += 1;
  const top = Math.max(...bins, 1);
  list
    .querySelector(".spark polyline")
    ?.setAttribute("points", bins.map((n, i) => `${(i * 60) / 14},${14 - (12 * n) / top}`).join(" "));
  const rate = state.arrivals.filter((time) => now - time < 10000).length / 10;
  const text = rate ? list.dataset.textRate.replace("{n}", rate < 10 ? rate.toFixed(1) : Math.round(rate)) : "";
  const label = list.querySelector("[data-rate]");
  if (label) label.textContent = text;
}

/** Offset of the server's clock, from when the rows were written. */
const serverNow = () => Date.now() * 1000 + (Number(body()?.dataset.offset) || 0);

function tick() {
  const rows = body();
  if (!rows) return;
  if (!rows.dataset.offset) rows.dataset.offset = String(Number(rows.dataset.now) - Date.now() * 1000);
  for (const row of rows.querySelectorAll("[data-running]")) {
    const seconds = Math.max((serverNow() - Number(row.dataset.running)) / 1e6, 0);
    const label = row.querySelector("[data-latency]");
    if (seconds < 60) label.textContent = list.dataset.textSeconds.replace("{n}", seconds.toFixed(1));
    else {
      label.textContent = list.dataset.textMinutes
        .replace("{m}", Math.floor(seconds / 60))
        .replace("{s}", Math.floor(seconds % 60));
    }
  }
}

setInterval(() => {
  if (!current() || document.hidden) return;
  tick();
  showRate();
  if ((state.held.size || state.stale) && !paused()) release();
  refreshOverview();
}, 500);
if (current()) tick();

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !current()?.dataset.live) return;
  state.again ||= state.waiting.size > 0; // told of long ago, perhaps: rows by id are for what is new
  work();
});

document.addEventListener("change", (event) => {
  if (!event.target.matches?.("[data-live-switch]")) return;
  remember("live", event.target.checked ? "on" : "off");
  document.dispatchEvent(new CustomEvent("litefuse:live-switch"));
});

document.addEventListener("click", (event) => {
  const at = event.target;
  if (!(at instanceof Element)) return;
  if (at.closest("[data-pill]")) {
    document.activeElement?.blur();
    list.querySelector("[data-pill-line]").hidden = true; // or the pointer over the pill would hold it
    release();
    list.querySelector("[data-scroll]")?.scrollTo({ top: 0 });
  } else if (at.closest(".facet-row")) {
    const row = at.closest(".facet-row"); // the answer will say the same; the eye need not wait for it
    row.setAttribute("aria-checked", String(row.getAttribute("aria-checked") !== "true"));
  } else if (at.closest("[data-toggle-facets]")) {
    root()?.toggleAttribute("data-facets-open");
  } else if (at.closest("[data-toggle-rows]")) {
    const next = root().dataset.rows === "s" ? "m" : "s";
    root().dataset.rows = next;
    remember("rows", next);
  }
});

/* Keys */
function move(step) {
  const links = [...document.querySelectorAll("#trace-rows .trace-link")];
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
  next?.focus();
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (!root() || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (event.key === "Escape") {
    if (typing || body()?.contains(document.activeElement)) document.activeElement.blur();
    root().removeAttribute("data-facets-open");
  }
  if (typing && event.target.type !== "checkbox") return;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("trace-search")?.focus();
  } else if (event.key === "j" || event.key === "J") move(1);
  else if (event.key === "k" || event.key === "K") move(-1);
  else if (event.key === "l" || event.key === "L") root().querySelector("[data-live-switch]")?.click();
});

/* The strip: drag over bars to look closer */
let drag = null;

function bucketAt(strip, x) {
  const bars = [...strip.querySelectorAll("g")];
  const box = strip.querySelector("svg").getBoundingClientRect();
  const index = Math.floor(((x - box.left) / box.width) * bars.length);
  return { bars, box, index: Math.min(Math.max(index, 0), bars.length - 1) };
}

function drawBrush(strip, from, to) {
  const { bars, box } = bucketAt(strip, 0);
  const [low, high] = from < to ? [from, to] : [to, from];
  const chosen = bars.slice(low, high + 1);
  const sum = (name) => chosen.reduce((n, bar) => n + Number(bar.dataset[name]), 0);
  const brush = strip.querySelector(".brush");
  const label = strip.querySelector(".brush-label");
  const unit = box.width / bars.length;
  brush.hidden = label.hidden = false;
  brush.style.left = `${low * unit}px`;
  brush.style.width = `${(high - low + 1) * unit}px`;
  const n = sum("count");
  label.textContent = label.dataset.text
    .replace("{from}", chosen[0].dataset.from)
    .replace("{to}", chosen.at(-1).dataset.to)
    .replace("{n}", n)
    .replace("{share}", n ? Math.round((100 * sum("errors")) / n) : 0);
  label.style.left = `${Math.min(Math.max(((low + high + 1) / 2) * unit, 140), box.width - 140)}px`;
  return { start: chosen[0].dataset.start, end: chosen.at(-1).dataset.end };
}

document.addEventListener("pointerdown", (event) => {
  const strip = event.target.closest?.("[data-strip]");
  if (!strip || event.button !== 0 || !strip.querySelector("svg")) return;
  const { index } = bucketAt(strip, event.clientX);
  drag = { strip, from: index, range: drawBrush(strip, index, index) };
  event.preventDefault();
});
document.addEventListener("pointermove", (event) => {
  if (drag) drag.range = drawBrush(drag.strip, drag.from, bucketAt(drag.strip, event.clientX).index);
});
document.addEventListener("pointerup", () => {
  if (!drag) return;
  const address = new URL(list?.dataset.listUrl ?? root().dataset.listUrl, location.href);
  for (const name of ["range", "from", "to"]) address.searchParams.delete(name);
  address.searchParams.set("from", drag.range.start);
  address.searchParams.set("to", drag.range.end);
  drag = null;
  const url = address.pathname + address.search;
  htmx.ajax("GET", url, { target: "#traces", swap: "outerHTML" }).then(() => history.pushState({}, "", url));
});
document.addEventListener("pointercancel", () => {
  if (drag) drag.strip.querySelectorAll(".brush, .brush-label").forEach((node) => (node.hidden = true));
  drag = null;
});
