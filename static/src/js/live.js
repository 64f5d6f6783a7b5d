// The project's socket. Reconnects with growing pauses; tells the page by `litefuse:traces` on document:
// detail = {traces: [...lines], missed: bool}. `missed` is true after every (re)connect and after a gap:
// the page then fetches its list again, so that nothing is left out between what it showed and the stream.
const NOT_ALLOWED = 4403;

let socket = null;
let path = "";
let pause = 500;
let sequence = 0;
let timer = 0;

function tell(traces, missed) {
  document.dispatchEvent(new CustomEvent("litefuse:traces", { detail: { traces, missed } }));
}

function state(name) {
  document.documentElement.dataset.socket = name;
}

function open() {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const current = new WebSocket(address);
  socket = current;
  sequence = 0;
  current.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "hello") {
      pause = 500;
      state("open");
      tell([], true);
    } else if (message.type === "traces") {
      const gap = message.missed || message.sequence !== sequence + 1;
      sequence = message.sequence;
      tell(message.traces, gap);
    }
  };
  current.onclose = (event) => {
    if (socket !== current) return;
    socket = null;
    state("closed");
    if (event.code === NOT_ALLOWED) return void location.reload();
    timer = setTimeout(open, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, 30000);
  };
}

/** Follow the socket the page asks for, or none. */
export function follow(wanted) {
  if (wanted === path) return;
  path = wanted;
  clearTimeout(timer);
  const old = socket;
  socket = null;
  old?.close();
  if (path) open();
}

function look() {
  const page = document.querySelector("[data-live]");
  const off = document.querySelector("[data-live-switch]:not(:checked)");
  follow(page && !off ? page.dataset.live : "");
}

document.addEventListener("htmx:afterSettle", look);
document.addEventListener("litefuse:live-switch", look);
addEventListener("online", () => {
  if (path && !socket) {
    clearTimeout(timer);
    open();
  }
});
look();
