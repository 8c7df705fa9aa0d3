// Bundle src/ into ../static (or the folder given as argument): a script for all views, one for the view in 3-D, which
// carries three.js and so its licence, and one style sheet.
import { build } from "esbuild";
import { appendFileSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = process.argv[2] ? resolve(process.argv[2]) : join(here, "..", "static");

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "src/index.js", out: "views" },
    { in: "src/matrices.js", out: "matrices" },
    { in: "src/theme.css", out: "views" },
  ],
  outdir,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "eof",
  metafile: true,
});

const licence = readFileSync(join(here, "node_modules", "three", "LICENSE"), "utf8");
appendFileSync(join(outdir, "matrices.js"), `/*! three.js\n\n${licence.trim()}\n*/\n`);

for (const [path, { bytes }] of Object.entries(metafile.outputs)) {
  console.log(`${path}  ${bytes} bytes`);
}
