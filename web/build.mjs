// Builds the page into the Python package: index.html and assets/ with hashed names.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { build } from "esbuild";

const PAGE = "../src/yinshi/apps/web/page";

await rm(PAGE, { recursive: true, force: true });
await mkdir(`${PAGE}/assets`, { recursive: true });

const { metafile } = await build({
  entryPoints: { page: "src/main.tsx", ink: "src/style/page.css" },
  outdir: `${PAGE}/assets`,
  entryNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  minify: true,
  charset: "utf8",
  legalComments: "none",
  metafile: true,
});

const seal = await readFile("src/seal.svg");
const hash = createHash("sha256").update(seal).digest("hex").slice(0, 8).toUpperCase();
await writeFile(`${PAGE}/assets/seal-${hash}.svg`, seal);

const names = Object.keys(metafile.outputs).map((path) => basename(path));
const html = (await readFile("src/index.html", "utf8"))
  .replace(
    "page.js",
    names.find((name) => name.endsWith(".js")),
  )
  .replace(
    "ink.css",
    names.find((name) => name.endsWith(".css")),
  )
  .replace("seal.svg", `seal-${hash}.svg`);
await writeFile(`${PAGE}/index.html`, html);

// A test compares this with the sources, so that no one forgets to build.
const sources = (await readdir("src", { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`);
const all = createHash("sha256");
for (const path of [...sources, "build.mjs", "package-lock.json"].sort()) {
  all.update(`${path}\n`).update(await readFile(path));
}
await writeFile(`${PAGE}/built-from.txt`, `${all.digest("hex")}\n`);
