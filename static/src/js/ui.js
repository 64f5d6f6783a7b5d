// Menus, dialogs, copying, theme, side bar, toasts.

/** Keep a small preference for a year, where the server can read it before it renders. */
export function remember(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`;
}

// The server writes times as the reader's clock shows them.
remember("time_zone", Intl.DateTimeFormat().resolvedOptions().timeZone);

/** Show a toast; `text` is plain text from the server's own templates. */
export function toast(text, kind = "ok") {
  const template = document.getElementById(`toast-${kind}`);
  const holder = document.getElementById("toasts");
  if (!template || !holder) return;
  const node = template.content.firstElementChild.cloneNode(true);
  node.querySelector("[data-text]").textContent = text;
  holder.replaceChildren(node);
  setTimeout(() => node.remove(), 6000);
}

// On narrow screens tabs scroll: the one that is open is in sight.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Without a secure context the clipboard API is absent: the old command still works.
    const area = document.createElement("textarea");
    area.value = button.dataset.copy;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.dataset.copied = "";
  setTimeout(() => delete button.dataset.copied, 1200);
}

function setTheme(theme) {
  remember("theme", theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const item of document.querySelectorAll("[data-set-theme]")) {
    item.setAttribute("aria-checked", String(item.dataset.setTheme === theme));
  }
}

function toggleSide(shell) {
  const folded = shell.dataset.side !== "folded";
  shell.dataset.side = folded ? "folded" : "open";
  remember("side", shell.dataset.side);
}

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target : null;
  if (!at) return;
  closeMenus(at);
  const copyButton = at.closest("[data-copy]");
  if (copyButton) return void copy(copyButton);
  const theme = at.closest("[data-set-theme]");
  if (theme) return setTheme(theme.dataset.setTheme);
  if (at.closest("[data-toggle-side]")) return toggleSide(document.querySelector(".shell"));
  const opener = at.closest("[data-dialog]");
  if (opener) return document.getElementById(opener.dataset.dialog)?.showModal();
  if (at.closest("[data-close]")) return at.closest("dialog, .toast")?.close?.() ?? at.closest(".toast")?.remove();
  if (at instanceof HTMLDialogElement) at.close(); // the backdrop
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// An address that names something folded away opens it.
function unfold() {
  const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (at instanceof HTMLDetailsElement) at.open = true;
}
addEventListener("hashchange", unfold);
unfold();

// A form marked data-auto sends itself when one of its controls changes.
document.addEventListener("change", (event) => {
  if (event.target.matches?.("[data-auto]")) event.target.form?.requestSubmit();
});

// Django's messages arrive with the page and leave by themselves.
for (const node of document.querySelectorAll("#toasts .toast:not(.toast-error)")) {
  setTimeout(() => node.remove(), 6000);
}
