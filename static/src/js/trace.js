// The page of one trace: what the address says is open, keys, and what arrives while it is open. The rows are
// drawn by tree-view.js, what stands around them by trace-frame.js, the panel by trace-panel.js.
import htmx from "htmx.org";
import { Frame } from "./trace-frame.js";
import { Panel } from "./trace-panel.js";
import { TreeView } from "./tree-view.js";
import { remember } from "./ui.js";

const TYPING = "input, select, textarea, [contenteditable]";

class TracePage {
  constructor(root) {
    this.root = root;
    this.find = root.querySelector("[data-find]");
    const data = JSON.parse(document.getElementById("trace-drawing").textContent);
    this.tree = new TreeView(root, data, (id) => this.open(id, { push: true }));
    this.panel = new Panel(root.querySelector("[data-panel]"));
    this.frame = new Frame(root, this.tree);
    this.tab = this.panel.tab;
    this.current = ""; // what the panel shows
    this.wait = 0; // timer of a panel that waits for the next key
    root.addEventListener("click", (event) => this.clicked(event));
    root.querySelector("[data-path]").addEventListener("change", (event) => {
      root.toggleAttribute("data-no-path", !event.target.checked);
    });
    this.find.addEventListener("input", () => this.search());
    this.find.addEventListener("keydown", (event) => this.searchKey(event));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("popstate", () => this.restore());
    const wanted = new URL(location.href).searchParams;
    this.show(wanted.get("view"));
    this.current = wanted.get("observation") ?? "";
    if (this.current) this.tree.select(this.current);
  }

  // --- the address ----------------------------------------------------------------------------------

  address(id, shown) {
    const url = new URL(this.root.dataset.base.slice(0, -1), location.href); // without its last ? or &
    if (shown) url.searchParams.set("observation", id); // empty: the trace itself
    if (this.tab !== "preview") url.searchParams.set("tab", this.tab);
    if (this.tree.view === "timeline") url.searchParams.set("view", "timeline");
    return url;
  }

  note(push) {
    const url = this.address(this.current, this.isOpen);
    if (url.href === location.href) return;
    if (push) history.pushState({}, "", url);
    else history.replaceState({}, "", url);
  }

  restore() {
    const wanted = new URL(location.href).searchParams;
    this.tab = wanted.get("tab") ?? "preview";
    this.show(wanted.get("view"));
    this.open(wanted.get("observation") ?? "", { shown: wanted.has("observation") });
  }

  // --- what is shown --------------------------------------------------------------------------------

  /** Whether the panel was asked for; where there is room it stands beside the tree anyway. */
  get isOpen() {
    return this.root.hasAttribute("data-open");
  }

  /** Show an observation, or with "" the trace itself. `late` waits for the next key, in ms. A group is only
   *  selected: there is nothing to show of it. */
  open(id, { push = false, late = 0, shown = Boolean(id) } = {}) {
    this.tree.select(id);
    if (this.tree.row?.group) return;
    this.current = id;
    this.root.toggleAttribute("data-open", shown);
    this.note(push);
    clearTimeout(this.wait);
    this.wait = setTimeout(() => this.load(), late);
  }

  load(keep = false) {
    const url = this.address(this.current, true);
    url.searchParams.set("part", "observation");
    return this.panel.load(url, keep);
  }

  show(view) {
    const timeline = view === "timeline";
    this.tree.view = this.root.dataset.view = timeline ? "timeline" : "tree";
    for (const button of this.root.querySelectorAll("[data-set-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.setView === this.tree.view));
    }
    for (const part of this.root.querySelectorAll("[data-zoom], [data-map], .trace-keys, .trace-path")) part.hidden = !timeline;
    if (!timeline) this.tree.look(0, 1);
    this.tree.lay();
    this.frame.draw();
  }

  clicked(event) {
    const at = event.target.closest("button, a");
    if (!at || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const is = (name) => at.matches(`[data-${name}]`);
    if (is("set-view")) {
      this.show(at.dataset.setView);
      this.note(true);
    } else if (is("observation") || is("close-panel")) {
      event.preventDefault();
      this.open("", { push: true, shown: is("observation") });
    } else if (is("tab-link")) {
      event.preventDefault();
      this.tab = at.dataset.tabLink;
      this.open(this.current, { shown: this.isOpen });
    } else if (is("fold-all")) this.tree.foldAll();
    else if (is("zoom-by")) this.tree.zoom(Number(at.dataset.zoomBy));
    else if (is("zoom-fit")) this.tree.look(0, 1);
  }

  // --- finding --------------------------------------------------------------------------------------

  search() {
    this.tree.query = this.find.value.trim();
    this.tree.lay();
    this.root.querySelector("[data-found]").textContent = this.tree.query ? String(this.tree.hits.length) : "";
  }

  searchKey(event) {
    if (event.key === "Escape") {
      this.find.value = "";
      this.search();
      this.find.blur();
      this.tree.reveal();
    } else if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") this.step(event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // --- keys -----------------------------------------------------------------------------------------

  step(by) {
    this.go(this.tree.neighbour(by));
  }

  go(id) {
    if (id) this.open(id, { late: 60 });
  }

  key(event) {
    const at = event.target;
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    if (at.closest?.("details.menu")) return; // Escape there closes the menu
    if (at.matches?.(TYPING) || document.querySelector("dialog[open], details.menu[open]")) return;
    const action = this.actions(at)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** What keys do where the focus is. */
  actions(at) {
    const { tree } = this;
    const everywhere = {
      j: () => this.step(1),
      k: () => this.step(-1),
      f: () => this.find.focus(),
      Escape: () => this.isOpen && this.open("", { push: true }),
    };
    const timeline = tree.view === "timeline" && {
      w: () => tree.zoom(0.7),
      s: () => tree.zoom(1 / 0.7),
      a: () => tree.pan(-0.2),
      d: () => tree.pan(0.2),
      0: () => tree.look(0, 1),
    };
    const inTree = (at === document.body || tree.box.contains(at)) && {
      ArrowDown: () => this.step(1),
      ArrowUp: () => this.step(-1),
      ArrowRight: () => this.go(tree.sideways(true)),
      ArrowLeft: () => this.go(tree.sideways(false)),
      Home: () => this.go(tree.rows[tree.shown[0]]?.id),
      End: () => this.go(tree.rows[tree.shown.at(-1)]?.id),
      " ": () => (tree.row?.below || tree.row?.group) && tree.fold(tree.row),
    };
    const onGroup = inTree && tree.row?.group && { Enter: () => tree.fold(tree.row) };
    return { ...everywhere, ...timeline, ...inTree, ...onGroup };
  }
}

/** The line between tree and panel: drag it, or move it with the arrow keys; the width is remembered. */
function splitter(root) {
  const split = root.querySelector("[data-split]");
  const widen = (pixels) => {
    const width = Math.round(Math.min(Math.max(pixels, 320), root.clientWidth - 360));
    root.style.setProperty("--tree-width", `${width}px`);
    remember("trace_width", width);
  };
  split.addEventListener("pointerdown", (event) => {
    split.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  split.addEventListener("pointermove", (event) => {
    if (split.hasPointerCapture(event.pointerId)) widen(event.clientX - root.getBoundingClientRect().left);
  });
  split.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    widen(root.querySelector(".trace-left").offsetWidth + by);
  });
  const width = /(?:^|; )trace_width=(\d+)/.exec(document.cookie)?.[1];
  if (width) root.style.setProperty("--tree-width", `${width}px`);
}

/** Fetch the tree again when spans, scores or files of this trace arrive: at once, then as often as the server bears. */
class Arrivals {
  constructor(page) {
    this.page = page;
    this.due = 0; // timer of the next refresh
    this.busy = false;
    this.again = false;
    this.took = 0; // ms of the last refresh; a large trace is refreshed less often
    this.connected = false;
    document.addEventListener("litefuse:traces", (event) => this.heard(event.detail));
  }

  heard({ traces, missed }) {
    const { dataset } = this.page.root;
    const opening = missed && !this.connected;
    this.connected = true;
    if (opening && dataset.recent === undefined) return; // nothing came between the page and the socket
    if (missed || traces.some((trace) => trace.id === dataset.id)) this.soon();
  }

  /** One refresh for whatever arrives until then; never put off, or a busy trace would stand still. */
  soon() {
    this.due ||= setTimeout(() => this.refresh(), Math.max(200, this.took * 3));
  }

  async refresh() {
    this.due = 0;
    if (this.busy) return void (this.again = true);
    this.busy = true;
    const began = performance.now();
    try {
      const response = await fetch(new URL(this.page.root.dataset.base + "part=tree", location.href));
      if (response.ok && !response.redirected) this.replace(await response.json());
    } catch {
      // The next message or reconnection tries again.
    }
    this.took = performance.now() - began;
    this.busy = false;
    if (this.again) this.soon();
    this.again = false;
  }

  replace(fresh) {
    const { root, tree, frame, panel } = this.page;
    const shown = () => JSON.stringify(tree.rows[tree.byId.get(this.page.current)] ?? tree.rows.length);
    const before = shown();
    const holder = document.createElement("template");
    holder.innerHTML = fresh.head;
    const head = root.querySelector("[data-head]");
    if (!head.querySelector("details[open]")) {
      head.replaceWith(holder.content); // else somebody reads what opened from it
      htmx.process(root.querySelector("[data-head]"));
    }
    tree.replace(fresh.tree);
    frame.draw();
    const judged = root.dataset.scored !== fresh.scored;
    root.dataset.scored = fresh.scored;
    const waiting = panel.box.querySelector("[data-waiting]"); // for a file that may have come
    if ((judged || waiting || before !== shown()) && !panel.busy) this.page.load(true);
  }
}

const root = document.querySelector("[data-trace]");
if (root) {
  splitter(root);
  new Arrivals(new TracePage(root));
}
