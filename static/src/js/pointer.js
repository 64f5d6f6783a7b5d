// Where the pointer is. `:hover` does not say it of what has just been put in the page under a resting pointer:
// it matches only after the next move.
let place = null;

addEventListener("pointermove", (event) => {
  place = event.pointerType === "touch" ? null : [event.clientX, event.clientY];
}, { passive: true });
document.documentElement.addEventListener("pointerleave", () => {
  place = null;
});

/** Whether the pointer rests on any of these elements, or within. */
export function isPointedAt(...elements) {
  const at = place && document.elementFromPoint(...place);
  return Boolean(at && elements.some((element) => element?.contains(at)));
}
