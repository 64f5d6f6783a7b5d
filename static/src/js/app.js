// Entry: htmx, then our own small modules. Each sets itself up by event delegation on the document,
// so that fragments swapped in later work without being wired again.
import htmx from "htmx.org";
import "./setup.js";
import "./ui.js";

window.htmx = htmx;
