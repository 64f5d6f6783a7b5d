// The panel beside the tree: an observation, or the trace itself, as the server writes it.
import htmx from "htmx.org";
import { toast } from "./ui.js";

/** Text of an answer; a session that ended sends the page to sign in. A 503 has words of its own. */
async function textOf(url, signal) {
  const response = await fetch(url, { signal });
  if (response.redirected) location.reload();
  if (!response.ok && response.status !== 503) throw new Error(String(response.status));
  return response.text();
}

export class Panel {
  constructor(box) {
    this.box = box;
    this.asked = null; // AbortController of the answer on its way
    this.last = null;
    box.addEventListener("click", (event) => this.clicked(event));
  }

  /** Whether somebody is at it: types, listens or watches. Writing it anew would take that away. */
  get busy() {
    const players = [...this.box.querySelectorAll("audio, video")];
    return this.box.contains(document.activeElement) || players.some((player) => player.currentTime > 0);
  }

  get tab() {
    return this.box.querySelector(".panel")?.dataset.tab ?? "preview";
  }

  /** Show what `url` answers. With `keep` what is unfolded and the scroll stay as they are. */
  async load(url, keep = false) {
    this.asked?.abort();
    const mine = (this.asked = new AbortController());
    this.last = url;
    const slow = setTimeout(() => this.box.setAttribute("aria-busy", "true"), 150);
    try {
      const html = await textOf(url, mine.signal);
      const top = this.box.scrollTop;
      const open = [...this.box.querySelectorAll("details")].map((node) => node.open);
      this.box.innerHTML = html;
      htmx.process(this.box);
      if (keep) [...this.box.querySelectorAll("details")].forEach((node, at) => (node.open = open[at] ?? node.open));
      this.box.scrollTop = keep ? top : 0;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.box.replaceChildren(document.getElementById("trace-failed").content.cloneNode(true));
    } finally {
      clearTimeout(slow);
      if (this.asked === mine) this.box.removeAttribute("aria-busy");
    }
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-again]") && this.last) this.load(this.last);
    else if (button.matches("[data-copy-raw]")) this.copy(button);
    else if (button.matches("[data-show-all]")) this.showAll(button);
    else if (button.matches("[data-fold]")) this.fold(button);
  }

  /** Copy a text exactly as it was sent. */
  async copy(button) {
    try {
      await navigator.clipboard.writeText(await textOf(button.dataset.copyRaw));
      button.dataset.copied = "";
      setTimeout(() => delete button.dataset.copied, 1200);
    } catch {
      toast(button.dataset.failed, "error");
    }
  }

  /** Put the whole text, as it was sent, in the place of what was cut. */
  async showAll(button) {
    const side = button.closest(".side-of");
    const source = side?.querySelector("[data-copy-raw]");
    if (!source) return;
    button.disabled = true;
    try {
      const whole = document.createElement("pre");
      whole.className = "said mono pad whole";
      whole.textContent = await textOf(source.dataset.copyRaw);
      side.replaceChildren(side.querySelector(".side-of-head"), whole);
    } catch {
      button.disabled = false;
    }
  }

  /** Fold or unfold the lines inside a JSON object or list; what is folded in there stays so. */
  fold(button) {
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
}
