// The observations of a trace as rows: only those in sight exist in the page, however many there are.
// Words, names and figures come from the server and are set as text; widths are set through the CSSOM.

const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const SPARE = 12; // rows drawn above and below the visible part
const LETTER = 6.1; // px of a figure in a label, about

/** Round marks on an axis from `from` to `to` (µs), at most `most`: [{at, text}]. */
export function marks(from, to, most, language) {
  const span = to - from;
  if (!(span > 0)) return [];
  const units = [
    ["millisecond", 1e3],
    ["second", 1e6],
    ["minute", 6e7],
    ["hour", 3.6e9],
    ["day", 8.64e10],
  ];
  let step = 10 ** Math.floor(Math.log10(span / most));
  if (step < 1e8) while (span / step > most) step *= String(step)[0] === "2" ? 2.5 : 2;
  else step = [6e7, 1.2e8, 3e8, 6e8, 1.8e9, 3.6e9, 1.08e10, 2.16e10, 4.32e10, 8.64e10].find((s) => span / s <= most) ?? 8.64e10 * Math.ceil(span / most / 8.64e10);
  const [unit, size] = units.findLast(([, s]) => s <= Math.max(step, 1e3) && (s < 6e7 || step >= 6e7 || span > 3e8)) ?? units[0];
  const words = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 3 });
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to + step * 1e-6; at += step) found.push({ at, text: words.format(at / size) });
  return found;
}

export class TreeView {
  constructor(root, data, onSelect) {
    this.root = root;
    this.onSelect = onSelect;
    this.language = document.documentElement.lang || "en";
    this.box = root.querySelector("[data-rows]");
    this.space = root.querySelector(".trace-space");
    this.window = root.querySelector(".trace-window");
    this.grid = root.querySelector(".trace-grid");
    this.axis = root.querySelector("[data-axis]");
    this.icons = document.getElementById("trace-row").content.querySelector("use").getAttribute("href").split("#")[0];
    this.folded = new Set();
    this.selected = "";
    this.query = "";
    this.view = "tree";
    this.from = 0;
    this.to = 1;
    this.frame = 0;
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.replace(data);
  }

  /** Show other data; selection, folds and scroll stay. */
  replace(data) {
    this.data = data;
    this.rows = data.rows;
    this.duration = Math.max(data.duration, 1);
    this.byId = new Map();
    const path = [];
    this.rows.forEach((row, at) => {
      row.depth ??= 0;
      row.below ??= 0;
      if (!this.byId.has(row.id)) this.byId.set(row.id, at);
      while (path.length && path.at(-1).until < at) path.pop();
      row.parent = path.length ? path.at(-1).at : -1; // by extent, not depth: depth ends at a limit
      if (row.below) path.push({ at, until: at + row.below });
    });
    this.lay();
  }

  /** Work out which rows there are: folds, or the matches of a search with what is above them. */
  lay() {
    const query = this.query.toLowerCase();
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
    this.draw();
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.root).getPropertyValue("--tree-row")) || 28;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const height = this.rowHeight;
    this.space.style.height = `${this.shown.length * height}px`;
    const first = Math.max(Math.floor(this.box.scrollTop / height) - SPARE, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + SPARE, this.shown.length);
    this.window.style.transform = `translateY(${first * height}px)`;
    const room = this.axis.clientWidth;
    const nodes = this.shown.slice(first, last).map((at, i) => this.node(at, first + i, room));
    if (!this.rows.length || (this.query && !this.shown.length)) nodes.push(clone("trace-nothing"));
    this.window.replaceChildren(...nodes);
    this.box.setAttribute("aria-activedescendant", this.selected && this.window.querySelector("[aria-selected=true]")?.id || "");
    this.paintAxis(room);
  }

  paintAxis(room) {
    const most = this.view === "timeline" ? Math.min(Math.max(Math.floor(room / 120), 2), 9) : Math.min(Math.max(Math.floor(room / 46), 2), 4);
    const [from, to] = this.span();
    const lines = [];
    const labels = [];
    for (const mark of marks(from, to, most, this.language)) {
      const at = `${(100 * (mark.at - from)) / (to - from)}%`;
      const line = document.createElement("i");
      line.style.left = at;
      const label = document.createElement("span");
      label.textContent = mark.text;
      label.style.left = at;
      lines.push(line);
      labels.push(label);
    }
    this.grid.style.left = `${this.axis.offsetLeft}px`;
    this.grid.style.width = `${room}px`;
    this.grid.replaceChildren(...lines);
    this.axis.replaceChildren(...labels);
  }

  /** The part of the time that is in sight, µs from the start. */
  span() {
    const room = this.view === "timeline" ? 1.04 : 1; // the end of the last bar keeps off the edge
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
    if (row.below && !this.query) node.setAttribute("aria-expanded", String(!this.folded.has(row.id)));
    else fold.classList.add("is-leaf");
    node.querySelector("use").setAttribute("href", `${this.icons}#${row.type}`);
    this.name(node.querySelector(".t-name"), row);
    const took = node.querySelector(".t-took");
    if (row.open) took.append(clone("trace-running"));
    else took.textContent = row.took ?? (row.type === "event" ? "" : "–");
    node.querySelector(".t-spent").textContent = row.cost ?? "";
    this.bar(node, row, room);
    return node;
  }

  guides(box, row) {
    for (let level = 1; level <= row.depth; level++) {
      const guide = document.createElement("i");
      const goesOn = (row.guides ?? 0) & (1 << (level - 1));
      if (level === row.depth) guide.className = row.last ? "is-end" : "is-branch";
      else if (goesOn && level > 0) guide.className = "is-through";
      box.append(guide);
    }
  }

  name(link, row) {
    link.href = this.address(row.id);
    link.title = row.lost ? `${row.name ?? ""}\n${row.lost}` : (row.name ?? "");
    const text = document.createElement("span");
    text.className = "clip";
    if (row.name) text.textContent = row.name;
    else text.append(clone("trace-unnamed"));
    link.append(text);
    if (row.level) {
      const badge = clone(`trace-badge-${row.level}`);
      const words = badge.querySelector("span");
      if (words) words.textContent = row.reason ?? "";
      link.append(badge);
    }
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
    if (row.below) bar.classList.add("is-parent");
    if (row.open) bar.classList.add("is-open");
    if (!row.critical && this.view === "timeline") bar.classList.add("is-pale");
    if (row.first !== undefined && !row.below) {
      const until = Math.min(Math.max(place(row.first), low), high);
      const before = document.createElement("i");
      before.style.width = `${high > low ? (100 * (until - low)) / (high - low) : 0}%`;
      bar.append(before);
    }
    if (this.view === "timeline") this.label(node.querySelector(".t-label"), row, { low, high, room, thick: !row.below });
  }

  /** Duration and cost beside the bar, or inside where it is long enough. */
  label(label, row, { low, high, room, thick }) {
    const figures = [row.took, row.cost].filter(Boolean);
    const width = ((high - low) * room) / 100;
    const inside = thick && !row.level && row.critical && width > 150;
    if (inside && row.model && width > 150 + row.model.length * LETTER) figures.push(row.model);
    const [strong, ...rest] = figures;
    if (!strong) return;
    const first = document.createElement("b");
    first.textContent = strong;
    label.append(first, rest.length ? ` · ${rest.join(" · ")}` : "");
    const need = figures.join(" · ").length * LETTER + 14;
    const before = ((row.first ?? 0) - row.start) / Math.max((row.end ?? row.start) - row.start, 1);
    if (inside && width * (1 - Math.max(before, 0)) > need) {
      label.classList.add("is-inside");
      label.style.left = `${low + Math.max(before, 0) * (high - low)}%`;
    } else if ((room * (100 - high)) / 100 > need) label.style.left = `${high}%`;
    else label.style.right = `${100 - low}%`;
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
    if (event.target.closest(".t-fold:not(.is-leaf)")) this.fold(row.id);
    else this.onSelect(row.id, true);
  }

  fold(id, wanted = !this.folded.has(id)) {
    if (wanted) this.folded.add(id);
    else this.folded.delete(id);
    this.lay();
  }

  /** Fold everything below the top rows, or unfold everything. */
  foldAll() {
    const parents = this.rows.filter((row) => row.below && row.depth > 0);
    if (this.folded.size) this.folded.clear();
    else for (const row of parents.length ? parents : this.rows.filter((row) => row.below)) this.folded.add(row.id);
    this.lay();
    this.reveal();
  }

  select(id) {
    this.selected = id;
    for (let up = this.rows[this.byId.get(id)]?.parent ?? -1; up >= 0; up = this.rows[up].parent) this.folded.delete(this.rows[up].id);
    this.lay();
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
    const row = this.rows[at];
    if (!row) return "";
    const folded = this.folded.has(row.id);
    if (row.below && !this.query && folded === right) {
      this.fold(row.id, !right);
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
