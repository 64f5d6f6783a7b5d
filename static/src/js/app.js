// Entry: htmx, then our own small modules. Each listens on the document, so that fragments swapped in later
// work without being wired again.
import htmx from "htmx.org";
import "./setup.js";
import "./ui.js";
import "./list.js";
import "./models.js";
import "./trace.js";
import "./wire.js";
import "./usage.js";
import "./live.js";

window.htmx = htmx;

// A session that ended answers with the sign-in page: go there instead of swapping it into a corner.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  const asked = new URL(requestConfig.path, location.href).pathname;
  const got = xhr.responseURL ? new URL(xhr.responseURL).pathname : asked;
  if (got !== asked) {
    event.detail.shouldSwap = false;
    location.assign(xhr.responseURL);
  } else if (xhr.status === 503 && xhr.responseText.includes("data-down")) {
    event.detail.shouldSwap = true; // the page's own words about a store that does not answer
  } else if (xhr.status >= 400) {
    location.assign(requestConfig.path);
  }
});
