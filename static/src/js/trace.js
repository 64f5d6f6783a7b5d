// The page of one trace: tree and timeline, the panel beside them, keys, and what arrives while it is open.
import { TreeView } from "./tree-view.js";
import { remember, toast } from "./ui.js";

const root = document.querySelector("[data-trace]");
if (root) start(root);

function start(root) {
  const panel = root.querySelector("[data-panel]");
  const find = root.querySelector("[data-find]");
  const data = JSON.parse(document.getElementById("trace-drawing").textContent);
  const tree = new TreeView(root, data, (id, push) => open(id, { push }));
  let tab = panel.querySelector(".panel")?.dataset.tab ?? "preview";
  let asked = null; // AbortController of the panel on its way
  let wait = 0;

  // --- the address says what is open ----------------------------------------------------------------
  function address(id, shown) {
    const url = new URL(root.dataset.base.slice(0, -1), location.href); // without its last ? or &
    if (shown) url.searchParams.set("observation", id); // empty: the trace itself
    if (tab !== "preview") url.searchParams.set("tab", tab);
    if (tree.view === "timeline") url.searchParams.set("view", "timeline");
    return url;
  }

  const wanted = () => new URL(location.href).searchParams;

  function note(push) {
    const url = address(tree.selected, root.hasAttribute("data-open"));
    if (url.href === location.href) return;
    if (push) history.pushState({}, "", url);
    else history.replaceState({}, "", url);
  }

  // --- the panel ------------------------------------------------------------------------------------
  /** Show an observation, or with "" the trace itself. */
  function open(id, { push = false, keep = false, late = 0, shown = Boolean(id) } = {}) {
    tree.select(id);
    root.toggleAttribute("data-open", shown);
    note(push);
    clearTimeout(wait);
    wait = setTimeout(() => load(keep), late);
  }

  async function load(keep = false) {
    asked?.abort();
    const mine = (asked = new AbortController());
    const url = address(tree.selected, true);
    url.searchParams.set("part", "observation");
    const slow = setTimeout(() => panel.setAttribute("aria-busy", "true"), 150);
    try {
      const html = await text(url, mine.signal);
      const top = panel.scrollTop;
      const unfolded = keep ? openDetails(panel) : [];
      panel.innerHTML = html;
      reopen(panel, unfolded);
      panel.scrollTop = keep ? top : 0;
    } catch (error) {
      if (error.name === "AbortError") return;
      panel.replaceChildren(document.getElementById("trace-failed").content.cloneNode(true));
    } finally {
      clearTimeout(slow);
      if (asked === mine) panel.removeAttribute("aria-busy");
    }
  }

  async function text(url, signal) {
    const response = await fetch(url, { signal });
    if (response.redirected) location.reload(); // the session ended
    if (!response.ok && response.status !== 503) throw new Error(String(response.status));
    return response.text();
  }

  // --- which view -----------------------------------------------------------------------------------
  function show(view) {
    tree.view = root.dataset.view = view === "timeline" ? "timeline" : "tree";
    const timeline = tree.view === "timeline";
    for (const button of root.querySelectorAll("[data-set-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.setView === tree.view));
    }
    for (const part of root.querySelectorAll("[data-zoom], [data-map], .trace-keys, .trace-path")) part.hidden = !timeline;
    root.querySelector("[data-shares]").hidden = timeline || !tree.data.shares.length;
    if (!timeline) tree.look(0, 1);
    tree.lay();
    around();
  }

  /** What stands around the rows: notices, shares, the small map. */
  function around() {
    const notices = root.querySelector("[data-notices]");
    notices.replaceChildren(
      ...tree.data.notices.map((words) => {
        const node = document.getElementById("trace-notice").content.firstElementChild.cloneNode(true);
        node.querySelector("span").textContent = words;
        return node;
      }),
    );
    const bar = root.querySelector(".trace-shares-bar");
    const small = root.querySelector("[data-shares-small]");
    bar.replaceChildren(...tree.data.shares.map((share) => rectangle(share, 8)));
    small.replaceChildren(...tree.data.shares.map((share) => rectangle(share, 6)));
    root.querySelector("[data-path-length]").textContent = tree.data.path;
    root.querySelector(".trace-shares .trace-legend").replaceChildren(...tree.data.shares.slice(0, 6).map(legend));
    root.querySelector("[data-shares-words]").textContent = tree.data.shares
      .slice(0, 3)
      .map((share) => `${share.label} ${Math.round(share.width)}%`)
      .join(" · ");
    root.querySelector("[data-shares]").hidden = tree.view === "timeline" || !tree.data.shares.length;
    map();
    spanWords();
  }

  function svg(name, attributes) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  function rectangle(share, height) {
    return svg("rect", { class: `share type-${share.type}`, x: `${share.start}%`, width: `${share.width}%`, height });
  }

  function legend(share) {
    const item = document.createElement("li");
    const mark = document.createElement("i");
    mark.className = `mark type-${share.type}`;
    item.append(mark, `${share.label} ${share.text}`);
    return item;
  }

  /** The whole trace in small, the longest bars of it, and a frame around what is in sight. */
  function map() {
    if (tree.view !== "timeline") return;
    const length = (row) => (row.end ?? row.start) - row.start;
    const rows = tree.rows.length > 400 ? [...tree.rows].sort((a, b) => length(b) - length(a)).slice(0, 400) : tree.rows;
    const order = new Map(tree.rows.map((row, at) => [row, at]));
    const step = Math.min(92 / Math.max(tree.rows.length, 1), 7);
    const all = tree.duration * 1.04;
    const bars = rows.map((row) =>
      svg("rect", {
        class: `type-${row.type}${row.level === "error" ? " is-error" : ""}`,
        x: (1000 * row.start) / all,
        width: Math.max((1000 * length(row)) / all, 1.5),
        y: 4 + order.get(row) * step,
        height: Math.max(step * 0.7, 1.2),
      }),
    );
    const frame = svg("rect", { class: "map-frame", x: 0, y: 0, width: 1000, height: 100 });
    root.querySelector(".trace-map-bars").replaceChildren(...bars, frame);
  }

  const seconds = (micros, digits) => {
    const number = new Intl.NumberFormat(tree.language, { maximumFractionDigits: digits });
    return number.format(micros / 1e6);
  };

  function spanWords() {
    const [from, to] = tree.span();
    const digits = to - from < 1e6 ? 3 : 2;
    const words = tree.words.second.replace("{n}", seconds(to, digits));
    root.querySelector("[data-span]").textContent = `${seconds(from, digits)} – ${words}`;
    const frame = root.querySelector(".map-frame");
    frame?.setAttribute("x", 1000 * tree.from);
    frame?.setAttribute("width", 1000 * (tree.to - tree.from));
    frame?.classList.toggle("is-part", tree.to - tree.from < 0.999);
  }

  root.addEventListener("trace:span", spanWords);

  // --- pointing -------------------------------------------------------------------------------------
  root.addEventListener("click", (event) => {
    const at = event.target.closest("button, a, .trace-map-bars");
    if (!at || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const is = (name) => at.matches(`[data-${name}]`);
    if (is("set-view")) {
      show(at.dataset.setView);
      note(true);
    } else if (is("observation") || is("close-panel")) {
      event.preventDefault();
      open("", { push: true, shown: is("observation") });
    } else if (is("tab-link")) {
      event.preventDefault();
      tab = at.dataset.tabLink;
      open(tree.selected, { shown: root.hasAttribute("data-open") });
    } else if (is("fold-all")) tree.foldAll();
    else if (is("zoom-by")) tree.zoom(Number(at.dataset.zoomBy));
    else if (is("zoom-fit")) tree.look(0, 1);
    else if (is("again")) load();
    else if (is("copy-raw")) copyRaw(at);
    else if (is("show-all")) showAll(at);
    else if (is("fold")) foldJson(at);
    else if (at.matches(".trace-map-bars")) {
      const box = at.getBoundingClientRect();
      const width = tree.to - tree.from;
      tree.look((event.clientX - box.left) / box.width - width / 2, width);
    }
  });

  root.querySelector("[data-path]").addEventListener("change", (event) => {
    root.toggleAttribute("data-no-path", !event.target.checked);
  });

  tree.box.addEventListener("pointermove", (event) => cursor(event));
  tree.box.addEventListener("pointerleave", () => cursor(null));
  tree.box.addEventListener(
    "wheel",
    (event) => {
      if (tree.view !== "timeline" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      const box = tree.axis.getBoundingClientRect();
      tree.zoom(event.deltaY > 0 ? 1.25 : 0.8, Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1));
    },
    { passive: false },
  );

  function cursor(event) {
    const line = root.querySelector(".trace-cursor");
    const box = tree.axis.getBoundingClientRect();
    const inside = event && tree.view === "timeline" && event.clientX >= box.left && event.clientX <= box.right;
    line.hidden = !inside;
    if (!inside) return;
    const [from, to] = tree.span();
    const time = from + ((to - from) * (event.clientX - box.left)) / box.width;
    line.style.left = `${event.clientX - tree.box.getBoundingClientRect().left}px`;
    line.style.top = `${tree.box.scrollTop}px`;
    line.firstElementChild.textContent = tree.words.second.replace("{n}", seconds(time, 2));
  }

  // --- finding --------------------------------------------------------------------------------------
  find.addEventListener("input", () => {
    tree.query = find.value.trim();
    tree.lay();
    root.querySelector("[data-found]").textContent = tree.query ? String(tree.hits.length) : "";
  });

  // --- keys -----------------------------------------------------------------------------------------
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      find.value = "";
      find.dispatchEvent(new Event("input"));
      find.blur();
      tree.reveal();
    } else if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function step(by) {
    const id = tree.neighbour(by);
    if (id || tree.byId.has("")) open(id, { late: 60 });
  }

  const timelineKeys = {
    w: () => tree.zoom(0.7),
    s: () => tree.zoom(1 / 0.7),
    a: () => tree.pan(-0.2),
    d: () => tree.pan(0.2),
    0: () => tree.look(0, 1),
  };
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    f: () => find.focus(),
    Escape: () => root.hasAttribute("data-open") && open("", { push: true }),
  };
  const treeKeys = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowRight: () => sideways(true),
    ArrowLeft: () => sideways(false),
    Home: () => open(tree.rows[tree.shown[0]]?.id ?? "", { late: 60 }),
    End: () => open(tree.rows[tree.shown.at(-1)]?.id ?? "", { late: 60 }),
    " ": () => tree.rows[tree.byId.get(tree.selected)]?.below && tree.fold(tree.selected),
  };

  function sideways(right) {
    const id = tree.sideways(right);
    if (id) open(id, { late: 60 });
  }

  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    if (at.closest?.("details.menu")) return; // Escape there closes the menu
    if (at.matches?.("input, select, textarea, [contenteditable]") || document.querySelector("dialog[open], details.menu[open]")) return;
    const inTree = at === document.body || at === tree.box || tree.box.contains(at);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = keys[key] ?? (tree.view === "timeline" ? timelineKeys[key] : undefined) ?? (inTree ? treeKeys[event.key] : undefined);
    if (!action) return;
    event.preventDefault();
    action();
  });

  // --- the panel's own small things --------------------------------------------------------------------
  async function copyRaw(button) {
    try {
      await navigator.clipboard.writeText(await text(button.dataset.copyRaw));
      button.dataset.copied = "";
      setTimeout(() => delete button.dataset.copied, 1200);
    } catch {
      toast(button.title, "error");
    }
  }

  /** Put the whole text, as it was sent, in the place of what was cut. */
  async function showAll(button) {
    const side = button.closest(".side-of");
    const source = side?.querySelector("[data-copy-raw]")?.dataset.copyRaw;
    if (!source) return;
    button.disabled = true;
    try {
      const whole = document.createElement("pre");
      whole.className = "said mono pad whole";
      whole.textContent = await text(source);
      side.replaceChildren(side.querySelector(".side-of-head"), whole);
    } catch {
      button.disabled = false;
    }
  }

  function foldJson(button) {
    const line = button.closest(".j-line");
    const fold = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!fold));
    line.classList.toggle("is-folded", fold);
    let skip = 0;
    let next = line.nextElementSibling;
    for (let left = Number(line.dataset.opens); left > 0 && next; left--, next = next.nextElementSibling) {
      next.hidden = fold || skip > 0;
      if (skip > 0) skip--;
      else if (!fold && next.classList.contains("is-folded")) skip = Number(next.dataset.opens);
    }
  }

  const openDetails = (box) => [...box.querySelectorAll("details")].map((node) => node.open);
  function reopen(box, states) {
    [...box.querySelectorAll("details")].forEach((node, at) => (node.open = states[at] ?? node.open));
  }

  // --- width of the tree ------------------------------------------------------------------------------
  const split = root.querySelector("[data-split]");
  function widen(pixels) {
    const width = Math.round(Math.min(Math.max(pixels, 320), root.clientWidth - 360));
    root.style.setProperty("--tree-width", `${width}px`);
    remember("trace_width", width);
  }
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

  // --- what arrives -----------------------------------------------------------------------------------
  let due = 0;
  let busy = false;
  let again = false;
  let connected = false;
  let cost = 0; // ms the last refresh took; a large trace is refreshed less often

  document.addEventListener("litefuse:traces", (event) => {
    const { traces, missed } = event.detail;
    if (!missed && !traces.some((trace) => trace.id === root.dataset.id)) return;
    const opening = missed && !connected;
    connected = true;
    if (opening && root.dataset.recent === undefined) return; // nothing came between the page and the socket
    soon();
  });

  /** Refresh once for whatever arrives until then; the timer is never put off, or a busy trace would stand still. */
  function soon() {
    due ||= setTimeout(refresh, Math.max(200, cost * 3));
  }

  async function refresh() {
    due = 0;
    if (busy) return void (again = true);
    busy = true;
    const began = performance.now();
    try {
      const url = new URL(root.dataset.base + "part=tree", location.href);
      const response = await fetch(url);
      if (!response.ok || response.redirected) return;
      const fresh = await response.json();
      const before = JSON.stringify(tree.rows[tree.byId.get(tree.selected)] ?? tree.data.rows.length);
      const holder = document.createElement("template");
      holder.innerHTML = fresh.head;
      root.querySelector("[data-head]").replaceWith(holder.content);
      tree.replace(fresh.tree);
      around();
      const after = JSON.stringify(tree.rows[tree.byId.get(tree.selected)] ?? tree.data.rows.length);
      if (before !== after && !panel.contains(document.activeElement)) load(true);
    } catch {
      // The next message or reconnection tries again.
    } finally {
      cost = performance.now() - began;
      busy = false;
      if (again) {
        again = false;
        soon();
      }
    }
  }

  addEventListener("popstate", () => {
    tab = wanted().get("tab") ?? "preview";
    show(wanted().get("view"));
    open(wanted().get("observation") ?? "", { shown: wanted().has("observation") });
  });

  show(wanted().get("view"));
  if (wanted().has("observation")) tree.select(wanted().get("observation"));
}
