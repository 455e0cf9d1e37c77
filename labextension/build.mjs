// Builds what the kernel sends to the page: the module of every view (through anywidget), and the
// parts, one for each file in src/parts. The same sources give the same bytes: kkjupyter/static is
// committed, and `make test` compares.
import { readdir, stat } from "node:fs/promises";
import { build } from "esbuild";

/** Every view carries the module; a part travels once per page. */
const LIMIT_BYTES = 30_000;
const outdir = new URL("../kkjupyter/static/", import.meta.url).pathname;

const cssAsText = {
  name: "css-as-text",
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const css = await build({ entryPoints: [path], minify: true, bundle: true, write: false });
      return { contents: css.outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

async function sources(folder) {
  const names = await readdir(new URL(folder, import.meta.url)).catch(() => []);
  return names.filter((name) => name.endsWith(".ts")).map((name) => `${folder}/${name}`);
}

const entryPoints = ["src/widget.ts", ...(await sources("src/parts"))];

await build({
  entryPoints,
  outdir,
  entryNames: "[name]",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [cssAsText],
});

for (const entry of entryPoints) {
  const name = entry.replace(/.*\//, "").replace(/\.ts$/, ".js");
  const { size } = await stat(outdir + name);
  console.log(`kkjupyter/static/${name}: ${size} bytes`);
  if (name === "widget.js" && size > LIMIT_BYTES) {
    throw new Error(`the module is over ${LIMIT_BYTES} bytes: every view would carry that`);
  }
}
