// Builds static/dist: one script, one style sheet, fonts and an icon sprite, named by their content,
// with manifest.json from plain names to real ones. Everything is also written gzipped for whitenoise.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const source = join(root, "static/src");
const target = join(root, "static/dist");
const icons = join(root, "node_modules/@tabler/icons/icons");

/** Write a file under a name that holds its content's hash; returns that name. */
function writeHashed(name, text) {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8).toUpperCase();
  const [stem, extension] = name.split(/\.(?=[^.]+$)/);
  const hashed = `${stem}-${hash}.${extension}`;
  writeFileSync(join(target, hashed), text);
  return hashed;
}

/** One `<symbol>` for each name in icons.json, drawn with the strokes of the design system. */
function sprite() {
  const names = JSON.parse(readFileSync(join(source, "icons.json"), "utf8"));
  const symbols = Object.entries(names).map(([name, file]) => {
    const svg = readFileSync(join(icons, `${file}.svg`), "utf8");
    const body = svg
      .slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"))
      .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none" ?\/>/, "")
      .replace(/\s+/g, " ")
      .trim();
    const paint = file.startsWith("filled/")
      ? 'fill="currentColor"'
      : 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"';
    return `<symbol id="${name}" viewBox="0 0 24 24" ${paint}>${body}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const result = await build({
  entryPoints: { app: join(source, "js/app.js"), style: join(source, "css/app.css") },
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  outdir: target,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  metafile: true,
  logLevel: "warning",
});

const manifest = {
  "icons.svg": writeHashed("icons.svg", sprite()),
  "logo.svg": writeHashed("logo.svg", readFileSync(join(source, "logo.svg"), "utf8")),
};
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  const file = relative(target, join(root, relative(root, join(process.cwd(), path))));
  if (output.entryPoint?.endsWith("app.js")) manifest["app.js"] = file;
  if (output.entryPoint?.endsWith("app.css")) manifest["app.css"] = file;
}
for (const file of readdirSync(target)) {
  if (/\.(js|css|svg)$/.test(file)) {
    writeFileSync(join(target, `${file}.gz`), gzipSync(readFileSync(join(target, file)), { level: 9 }));
  }
}
writeFileSync(join(target, "manifest.json"), JSON.stringify(manifest, null, 1));

// How models cut text into tokens, for usage that clients did not send. Read by the server, not by browsers.
mkdirSync(join(target, "tokens"));
for (const name of ["o200k_base", "cl100k_base"]) {
  const { default: ranks } = await import(`js-tiktoken/ranks/${name}`);
  writeFileSync(join(target, "tokens", `${name}.json`), JSON.stringify(ranks));
}
