// What stands around the rows: notices, where the time went, the small map, the span in sight, the time
// under the pointer.

const MAP_BARS = 400; // longer traces show their longest bars

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

function notice(words) {
  const node = document.getElementById("trace-notice").content.firstElementChild.cloneNode(true);
  node.querySelector("span").textContent = words;
  return node;
}

export class Frame {
  constructor(root, tree) {
    this.root = root;
    this.tree = tree;
    root.addEventListener("trace:span", () => this.span());
    tree.box.addEventListener("pointermove", (event) => this.cursor(event));
    tree.box.addEventListener("pointerleave", () => this.cursor(null));
    tree.box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.part(".trace-map-bars").addEventListener("click", (event) => this.pointed(event));
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  draw() {
    const { data, view } = this.tree;
    this.part("[data-notices]").replaceChildren(...data.notices.map(notice));
    this.part("[data-shares]").hidden = view === "timeline" || !data.shares.length;
    this.part(".trace-shares-bar").replaceChildren(...data.shares.map((share) => rectangle(share, 8)));
    this.part("[data-shares-small]").replaceChildren(...data.shares.map((share) => rectangle(share, 6)));
    this.part("[data-path-length]").textContent = data.path;
    this.part(".trace-shares .trace-legend").replaceChildren(...data.shares.slice(0, 6).map(legend));
    const most = data.shares.slice(0, 3).map((share) => `${share.label} ${Math.round(share.width)}%`);
    this.part("[data-shares-words]").textContent = most.join(" · ");
    if (view === "timeline") this.map();
    this.span();
  }

  /** The whole trace in small, and a frame around what is in sight. */
  map() {
    const { rows, duration } = this.tree;
    const length = (row) => (row.end ?? row.start) - row.start;
    const order = rows.map((row, at) => [row, at]);
    const shown = rows.length > MAP_BARS ? order.sort(([a], [b]) => length(b) - length(a)).slice(0, MAP_BARS) : order;
    const step = Math.min(92 / Math.max(rows.length, 1), 7);
    const scale = 1000 / (duration * 1.04);
    const bars = shown.map(([row, at]) =>
      svg("rect", {
        class: `type-${row.type}${row.level === "error" ? " is-error" : ""}`,
        x: scale * row.start,
        width: Math.max(scale * length(row), 1.5),
        y: 4 + at * step,
        height: Math.max(step * 0.7, 1.2),
      }),
    );
    const frame = svg("rect", { class: "map-frame", x: 0, y: 0, width: 1000, height: 100 });
    this.part(".trace-map-bars").replaceChildren(...bars, frame);
  }

  seconds(micros, digits) {
    return new Intl.NumberFormat(this.tree.language, { maximumFractionDigits: digits }).format(micros / 1e6);
  }

  /** Which part of the time is in sight, in words and on the map. */
  span() {
    const { tree } = this;
    const [from, to] = tree.span();
    const digits = to - from < 1e6 ? 3 : 2;
    const end = tree.words.second.replace("{n}", this.seconds(to, digits));
    this.part("[data-span]").textContent = `${this.seconds(from, digits)} – ${end}`;
    const frame = this.part(".map-frame");
    frame?.setAttribute("x", 1000 * tree.from);
    frame?.setAttribute("width", 1000 * (tree.to - tree.from));
    frame?.classList.toggle("is-part", tree.to - tree.from < 0.999);
  }

  /** A line with its time under the pointer. */
  cursor(event) {
    const { tree } = this;
    const line = this.part(".trace-cursor");
    const axis = tree.axis.getBoundingClientRect();
    const inside = event && tree.view === "timeline" && event.clientX >= axis.left && event.clientX <= axis.right;
    line.hidden = !inside;
    if (!inside) return;
    const [from, to] = tree.span();
    const time = from + ((to - from) * (event.clientX - axis.left)) / axis.width;
    line.style.left = `${event.clientX - tree.box.getBoundingClientRect().left}px`;
    line.style.top = `${tree.box.scrollTop}px`;
    line.firstElementChild.textContent = tree.words.second.replace("{n}", this.seconds(time, to - from < 1e6 ? 3 : 2));
  }

  /** Zoom around the pointer with Ctrl and the wheel, which is also what pinching sends. */
  wheel(event) {
    if (this.tree.view !== "timeline" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const axis = this.tree.axis.getBoundingClientRect();
    const around = Math.min(Math.max((event.clientX - axis.left) / axis.width, 0), 1);
    this.tree.zoom(event.deltaY > 0 ? 1.25 : 0.8, around);
  }

  /** A click on the map moves what is in sight there. */
  pointed(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const width = this.tree.to - this.tree.from;
    this.tree.look((event.clientX - box.left) / box.width - width / 2, width);
  }
}
