// The observations of a trace as rows: only those in sight exist in the page, however many there are.
// Words, names and figures come from the server and are set as text; widths are set through the CSSOM.

import { GROUP, arrange, groupOf } from "./tree-layout.js";

const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const SPARE = 12; // rows drawn above and below the visible part
const brush = document.createElement("canvas").getContext("2d");

/** Width of a label's text in px. */
function width(text) {
  brush.font = '500 11.5px "Inter Variable", sans-serif';
  return brush.measureText(text).width;
}

const UNITS = [
  ["day", 8.64e10, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000]],
  ["hour", 3.6e9, [1, 2, 3, 6, 12]],
  ["minute", 6e7, [1, 2, 5, 10, 15, 30]],
  ["second", 1e6, [1, 2, 5, 10, 20, 30]],
  ["millisecond", 1e3, [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]],
];

/** Round marks between two times (µs), at most `most`: [{at, text}]. `words` has a pattern for each unit. */
export function marks(from, to, most, words, language) {
  const fits = (unit, step) => (to - from) / (UNITS[unit][1] * step) <= most;
  let unit = UNITS.length - 1;
  while (unit > 0 && !UNITS[unit][2].some((step) => fits(unit, step))) unit--;
  const [name, size, steps] = UNITS[unit];
  const step = size * (steps.find((step) => fits(unit, step)) ?? steps.at(-1));
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 3 });
  const found = [];
  for (let n = Math.ceil(from / step); n * step <= to && found.length <= most; n++) {
    const shown = name === "millisecond" && step >= 1e5 && to >= 1e6 ? ["second", 1e6] : [name, size];
    found.push({ at: n * step, text: words[shown[0]].replace("{n}", number.format((n * step) / shown[1])) });
  }
  return found;
}

export class TreeView {
  constructor(root, data, onSelect) {
    this.root = root;
    this.onSelect = onSelect;
    this.words = JSON.parse(root.dataset.units);
    this.language = document.documentElement.lang || "en";
    this.box = root.querySelector("[data-rows]");
    this.space = root.querySelector(".trace-space");
    this.window = root.querySelector(".trace-window");
    this.grid = root.querySelector(".trace-grid");
    this.axis = root.querySelector("[data-axis]");
    this.icons = document.getElementById("trace-row").content.querySelector(".type use").getAttribute("href").split("#")[0];
    this.folded = new Set();
    this.turned = new Set(); // groups of infrastructure that are not as they are by themselves
    this.groupWords = JSON.parse(root.dataset.groups);
    this.plural = new Intl.PluralRules(this.language);
    this.selected = "";
    this.query = "";
    this.view = "tree";
    this.from = 0;
    this.to = 1;
    this.frame = 0;
    this.nodes = new Map(); // rows drawn so far that still look the same
    this.box.addEventListener("scroll", () => this.draw(false), { passive: true });
    this.box.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.replace(data);
  }

  /** Show other data; selection, folds and scroll stay. */
  replace(data) {
    this.data = data;
    this.duration = Math.max(data.duration, 1);
    this.lay();
  }

  /** Whether a group shows its rows: in a search, where there is nothing else, or when asked to. */
  isOpen(id) {
    return Boolean(this.query) || this.turned.has(id) !== this.data.onlyPlumbing;
  }

  /** Rows with their places, by place and by id. */
  arrange() {
    this.data.onlyPlumbing ??= this.data.rows.every((row) => row.plumbing);
    this.rows = arrange(this.data.rows, (id) => this.isOpen(id));
    this.byId = new Map();
    this.rows.forEach((row, at) => {
      if (!this.byId.has(row.id)) this.byId.set(row.id, at);
      if (row.type === GROUP) row.name = this.groupName(row.group);
      if (row.level === "error") for (let up = row.parent; up >= 0 && !this.rows[up].holdsError; up = this.rows[up].parent) this.rows[up].holdsError = true;
    });
  }

  groupName(count) {
    const words = this.groupWords[this.plural.select(count)] ?? this.groupWords.other;
    return words.replace("{n}", new Intl.NumberFormat(this.language).format(count));
  }

  /** Work out which rows there are: folds, or the matches of a search with what is above them. */
  lay() {
    const query = this.query.toLowerCase();
    this.arrange();
    this.hits = [];
    this.shown = [];
    if (query) {
      const wanted = new Set();
      this.rows.forEach((row, at) => {
        if (![row.name, row.type, row.model, row.id, row.reason].some((text) => text?.toLowerCase().includes(query))) return;
        this.hits.push(at);
        for (let up = at; up >= 0 && !wanted.has(up); up = this.rows[up].parent) wanted.add(up);
      });
      this.shown = [...wanted].sort((a, b) => a - b);
    } else {
      for (let at = 0; at < this.rows.length; at++) {
        this.shown.push(at);
        if (this.folded.has(this.rows[at].id)) at += this.rows[at].below;
      }
    }
    this.hit = new Set(this.hits);
    this.space.style.height = `${this.shown.length * this.rowHeight}px`; // at once: what follows may scroll
    this.draw();
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.root).getPropertyValue("--tree-row")) || 28;
  }

  /** Draw in the next frame; `afresh` when rows may look different than before. */
  draw(afresh = true) {
    if (afresh) this.nodes.clear();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const height = this.rowHeight;
    const first = Math.max(Math.floor(this.box.scrollTop / height) - SPARE, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + SPARE, this.shown.length);
    this.window.style.transform = `translateY(${first * height}px)`;
    const room = this.axis.clientWidth;
    const old = this.nodes;
    this.nodes = new Map(this.shown.slice(first, last).map((at, i) => [at, old.get(at) ?? this.node(at, first + i, room)]));
    const wanted = [...this.nodes.values()];
    if (!wanted.length) wanted.push(clone(this.rows.length ? "trace-nothing" : "trace-empty"));
    const keep = new Set(wanted);
    for (const node of [...this.window.children]) if (!keep.has(node)) node.remove();
    wanted.forEach((node, i) => this.window.children[i] !== node && this.window.insertBefore(node, this.window.children[i] ?? null));
    this.box.setAttribute("aria-activedescendant", this.selected && this.window.querySelector("[aria-selected=true]")?.id || "");
    if (this.axisOf !== `${this.view} ${room} ${this.span()}`) this.paintAxis(room);
  }

  paintAxis(room) {
    const most = this.view === "timeline" ? Math.min(Math.max(Math.floor(room / 120), 2), 9) : Math.min(Math.max(Math.floor(room / 36), 2), 4);
    const [from, to] = this.span();
    this.axisOf = `${this.view} ${room} ${this.span()}`;
    const lines = [];
    const labels = [];
    let taken = 0; // px up to which labels stand
    for (const mark of marks(from, to, most, this.words, this.language)) {
      const at = `${(100 * (mark.at - from)) / (to - from)}%`;
      const line = document.createElement("i");
      line.style.left = at;
      const label = document.createElement("span");
      label.textContent = mark.text;
      lines.push(line);
      const need = width(mark.text) + 10;
      const right = (room * (mark.at - from)) / (to - from);
      const left = right + need < room ? right : right - need; // the last may stand before its line
      if (left < taken) continue;
      taken = left + need;
      label.style.left = `${left}px`;
      labels.push(label);
    }
    this.grid.style.left = `${this.axis.offsetLeft}px`;
    this.grid.style.width = `${room}px`;
    this.grid.replaceChildren(...lines);
    this.axis.replaceChildren(...labels);
  }

  /** The part of the time that is in sight, µs from the start. */
  span() {
    const room = 1.04; // the end of the last bar keeps off the edge
    return [this.from * this.duration * room, this.to * this.duration * room];
  }

  node(at, position, room) {
    const row = this.rows[at];
    const node = clone("trace-row");
    node.id = `t-${at}`;
    node.dataset.at = at;
    node.classList.add(`type-${row.type}`);
    if (row.level) node.classList.add(`is-${row.level}`);
    if (row.depth === 0) node.classList.add("is-top");
    if (row.id === this.selected && this.byId.get(row.id) === at) node.setAttribute("aria-selected", "true");
    if (this.query && !this.hit.has(at)) node.classList.add("is-context");
    node.setAttribute("aria-level", row.depth + 1);
    node.setAttribute("aria-setsize", this.shown.length);
    node.setAttribute("aria-posinset", position + 1);
    this.guides(node.querySelector(".t-guides"), row);
    const fold = node.querySelector(".t-fold");
    if (!this.query && (row.below || row.group)) node.setAttribute("aria-expanded", String(!this.isFolded(row)));
    else fold.classList.add("is-leaf");
    if (row.plumbing || row.group) node.classList.add("is-plumbing");
    node.querySelector(".type use").setAttribute("href", `${this.icons}#${row.type}`);
    this.name(node.querySelector(".t-name"), row);
    const took = node.querySelector(".t-took");
    if (row.open) took.append(clone("trace-running"));
    else if (!row.group) took.textContent = row.took ?? (row.type === "event" ? "" : "–");
    node.querySelector(".t-spent").textContent = row.cost ?? "";
    this.bar(node, row, room);
    return node;
  }

  guides(box, row) {
    for (let level = 1; level <= row.depth; level++) {
      const guide = document.createElement("i");
      if (level === row.depth) guide.className = row.last ? "is-end" : "is-branch";
      else if (row.guides & (1 << level)) guide.className = "is-through";
      box.append(guide);
    }
  }

  name(link, row) {
    if (!row.group) link.href = this.address(row.id);
    link.title = row.lost ? `${row.name ?? ""}\n${row.lost}` : (row.name ?? "");
    const text = document.createElement("span");
    text.className = "clip";
    if (row.name) text.append(...this.marked(row.name));
    else text.append(clone("trace-unnamed"));
    link.append(text);
    if (row.entry) link.append(clone("trace-badge-entry"));
    if (row.doubt) {
      const doubt = clone("trace-doubt");
      doubt.title = row.doubt;
      link.append(doubt);
    }
    if (row.level) {
      const badge = clone(`trace-badge-${row.level}`);
      const words = badge.querySelector("span");
      if (words) words.textContent = row.reason ?? "";
      link.append(badge);
    } else if (row.holdsError && this.folded.has(row.id)) {
      const dot = document.createElement("i");
      dot.className = "t-holds";
      link.append(dot);
    }
  }

  /** A name with what is searched for marked in it. */
  marked(name) {
    const at = this.query ? name.toLowerCase().indexOf(this.query.toLowerCase()) : -1;
    if (at < 0) return [name];
    const mark = document.createElement("mark");
    mark.textContent = name.slice(at, at + this.query.length);
    return [name.slice(0, at), mark, name.slice(at + this.query.length)];
  }

  bar(node, row, room) {
    const [from, to] = this.span();
    const place = (time) => (100 * (time - from)) / (to - from);
    const end = row.end ?? (row.open ? this.duration : row.start);
    const left = place(row.start);
    const right = place(end);
    const bar = node.querySelector(".t-bar");
    if (right < 0 || left > 100) return void bar.remove();
    const low = Math.max(left, 0);
    const high = Math.min(right, 100);
    bar.style.left = `${low}%`;
    bar.style.width = `max(2px, ${Math.max(high - low, 0)}%)`;
    if (row.end === undefined && !row.open) bar.classList.add("is-mark");
    const thin = (row.below > 0 || row.group) && row.type !== "generation" && row.type !== "embedding";
    if (thin) bar.classList.add("is-parent");
    if (row.open) bar.classList.add("is-open");
    const number = new Intl.NumberFormat(this.language, { maximumFractionDigits: 3 });
    bar.title = [`+${this.words.second.replace("{n}", number.format(row.start / 1e6))}`, row.took, row.cost, row.model].filter(Boolean).join(" · ");
    if (!row.critical && this.view === "timeline") bar.classList.add("is-pale");
    if (row.first !== undefined && !thin) {
      const until = Math.min(Math.max(place(row.first), low), high);
      const before = document.createElement("i");
      before.style.width = `${high > low ? (100 * (until - low)) / (high - low) : 0}%`;
      bar.append(before);
    }
    if (this.view === "timeline") {
      const from = row.first === undefined ? low : Math.min(Math.max(place(row.first), low), high);
      this.label(node.querySelector(".t-label"), row, { low, high, room, from, thick: !thin });
    }
  }

  /** Duration and cost beside the bar; inside, with the model, where it is long enough. */
  label(label, row, { low, high, room, from, thick }) {
    const figures = [row.took, row.cost].filter(Boolean);
    if (!figures.length) return;
    const needs = (words) => width(words.join(" · ")) + 14;
    const free = thick && !row.level && row.critical ? ((high - from) * room) / 100 : 0;
    const inside = free > Math.max(needs(figures), 96);
    if (inside && row.model && free > needs([...figures, row.model])) figures.push(row.model);
    const first = document.createElement("b");
    first.textContent = figures[0];
    label.append(first, figures.slice(1).map((words) => ` · ${words}`).join(""));
    if (inside) {
      label.classList.add("is-inside");
      label.style.left = `${from}%`;
    } else if ((room * (100 - high)) / 100 > needs(figures)) label.style.left = `${high}%`;
    else if ((room * low) / 100 > needs(figures)) label.style.right = `${100 - low}%`;
    else label.replaceChildren(); // no room on either side: the row's figures are in the panel
  }

  address(id) {
    const url = new URL(this.root.dataset.base + "observation=" + encodeURIComponent(id), location.href);
    if (this.view === "timeline") url.searchParams.set("view", "timeline");
    return url;
  }

  clicked(event) {
    const node = event.target.closest(".t-row");
    if (!node || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const row = this.rows[Number(node.dataset.at)];
    if (event.target.closest(".t-fold:not(.is-leaf)") || row.group) this.fold(row);
    else this.onSelect(row.id, true);
  }

  /** Whether what is under a row is out of sight. */
  isFolded(row) {
    return row.group ? !this.isOpen(row.id) : this.folded.has(row.id);
  }

  /** Fold a row, or unfold it. */
  fold(row) {
    const set = row.group ? this.turned : this.folded;
    if (set.has(row.id)) set.delete(row.id);
    else set.add(row.id);
    this.lay();
  }

  /** Fold everything below the top rows, or unfold everything. */
  foldAll() {
    const all = this.rows.filter((row) => row.below && !row.group);
    const parents = all.filter((row) => row.depth > 0);
    if (this.folded.size) this.folded.clear();
    else for (const row of parents.length ? parents : all) this.folded.add(row.id);
    this.lay();
    this.reveal();
  }

  /** The selected row, if there is one. */
  get row() {
    return this.rows[this.byId.get(this.selected)];
  }

  select(id) {
    const before = this.byId.get(this.selected);
    const group = this.byId.has(id) ? undefined : groupOf(this.data.rows, id);
    if (group !== undefined) this.fold({ id: group, group: 1 });
    const now = this.byId.get(id);
    const folds = this.folded.size;
    this.selected = id;
    for (let up = this.rows[now]?.parent ?? -1; up >= 0; up = this.rows[up].parent) this.folded.delete(this.rows[up].id);
    if (this.folded.size !== folds) this.lay();
    for (const at of [before, now]) this.nodes.delete(at); // only these two look different
    this.draw(false);
    this.reveal();
  }

  reveal() {
    const position = this.shown.indexOf(this.byId.get(this.selected));
    if (position < 0) return;
    const height = this.rowHeight;
    const top = position * height;
    const seen = this.box.scrollTop;
    if (top < seen) this.box.scrollTop = top - height;
    else if (top + 2 * height > seen + this.box.clientHeight) this.box.scrollTop = top + 2 * height - this.box.clientHeight;
  }

  /** The row `step` below the selected one; in a search the next match. */
  neighbour(step) {
    const list = this.query ? this.hits : this.shown;
    if (!list.length) return "";
    const here = list.indexOf(this.byId.get(this.selected));
    const at = here < 0 ? (step > 0 ? 0 : list.length - 1) : Math.min(Math.max(here + step, 0), list.length - 1);
    return this.rows[list[at]].id;
  }

  /** Left and right: fold and unfold, then to the parent or the first child. */
  sideways(right) {
    const at = this.byId.get(this.selected);
    const { row } = this;
    if (!row) return "";
    if ((row.below || row.group) && !this.query && this.isFolded(row) === right) {
      this.fold(row);
      return "";
    }
    if (right) return row.below ? this.rows[at + 1].id : "";
    return row.parent >= 0 ? this.rows[row.parent].id : "";
  }

  /** Zoom around the middle of what is in sight, or a given place (0…1 of it). */
  zoom(factor, around = 0.5) {
    const width = Math.min(Math.max((this.to - this.from) * factor, 1e-4), 1);
    const middle = this.from + (this.to - this.from) * around;
    this.look(middle - width * around, width);
  }

  pan(share) {
    this.look(this.from + (this.to - this.from) * share, this.to - this.from);
  }

  look(from, width) {
    this.from = Math.min(Math.max(from, 0), 1 - width);
    this.to = this.from + width;
    this.draw();
    this.root.dispatchEvent(new Event("trace:span"));
  }
}
