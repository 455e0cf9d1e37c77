// Builds the module that anywidget sends with every view. The same sources give the same bytes:
// kkjupyter/static is committed, and `make test` compares.
import { stat } from "node:fs/promises";
import { build } from "esbuild";

const LIMIT_BYTES = 30_000;
const outfile = new URL("../kkjupyter/static/widget.js", import.meta.url).pathname;

await build({
  entryPoints: ["src/widget.ts"],
  outfile,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  plugins: [
    {
      name: "css-as-text",
      setup(builder) {
        builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
          const css = await build({ entryPoints: [path], minify: true, write: false });
          return { contents: css.outputFiles[0].text.trim(), loader: "text" };
        });
      },
    },
  ],
});

const { size } = await stat(outfile);
console.log(`kkjupyter/static/widget.js: ${size} bytes`);
if (size > LIMIT_BYTES) {
  throw new Error(`the module is over ${LIMIT_BYTES} bytes: every view would carry that`);
}
