// Builds what the kernel sends to the page: the module of every view (through anywidget), and the
// parts, one for each file in src/parts. Then the lab extension, which offers the same parts. The
// same sources give the same bytes: kkjupyter/static and kkjupyter/labextension are committed, and
// `make test` compares.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { build } from "esbuild";

/** Every view carries the module; a part travels once per page. */
const LIMIT_BYTES = 60_000;
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

/** esbuild writes a number where its name stands only in files that import nothing. */
const numbersInPlace = {
  name: "numbers-in-place",
  setup(builder) {
    builder.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const [line, name, value] of contents.matchAll(/^const ([A-Z_]+) = ([\d_]+);$/gm)) {
        contents = contents.replace(line, "").replaceAll(new RegExp(`\\b${name}\\b`, "g"), value);
      }
      return { contents, loader: "ts" };
    });
  },
};

async function sources(folder) {
  const names = await readdir(new URL(folder, import.meta.url)).catch(() => []);
  return names.filter((name) => name.endsWith(".ts")).map((name) => `${folder}/${name}`);
}

const entryPoints = ["src/widget/widget.ts", ...(await sources("src/parts"))];

const common = {
  bundle: true,
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [cssAsText, numbersInPlace],
};
await build({ ...common, entryPoints, outdir, entryNames: "[name]", format: "esm" });

for (const entry of entryPoints) {
  const name = entry.replace(/.*\//, "").replace(/\.ts$/, ".js");
  const { size } = await stat(outdir + name);
  console.log(`kkjupyter/static/${name}: ${size} bytes`);
  if (name === "widget.js" && size > LIMIT_BYTES) {
    throw new Error(`the module is over ${LIMIT_BYTES} bytes: every view would carry that`);
  }
}

await buildLabExtension();

async function buildLabExtension() {
  const root = new URL("../kkjupyter/labextension/", import.meta.url);
  const load = "kkjupyter.js";
  await rm(root, { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: ["src/lab/container.ts"],
    outfile: new URL(load, root).pathname,
    format: "iife",
    define: { ...common.define, KKJUPYTER_PARTS: JSON.stringify(await partIds()) },
  });
  const schemas = new URL("schemas/kkjupyter/", root);
  await mkdir(schemas, { recursive: true });
  await cp(new URL("schema/", import.meta.url), schemas, { recursive: true });
  const description = {
    name: "kkjupyter",
    version: await version(),
    description: "The streams of notebooks: shown live and saved, listed, cancelled",
    license: "MIT",
    jupyterlab: {
      extension: true,
      mimeExtension: true,
      _build: { load, extension: "./extension", mimeExtension: "./mimeExtension" },
    },
  };
  await writeJson(new URL("package.json", root), description);
  // JupyterLab looks here for the version of the settings, and there for how it was installed.
  await writeJson(new URL("package.json.orig", schemas), description);
  await writeJson(new URL("install.json", root), {
    packageManager: "python",
    packageName: "kkjupyter",
    uninstallInstructions: "pip uninstall kkjupyter",
  });
  const { size } = await stat(new URL(load, root));
  console.log(`kkjupyter/labextension/${load}: ${size} bytes`);
}

/** By the name of each part its id, as kkjupyter/notebook/output/assets.py makes it. */
async function partIds() {
  const ids = {};
  for (const entry of (await sources("src/parts")).sort()) {
    const name = entry.replace(/.*\//, "").replace(/\.ts$/, "");
    const source = await readFile(`${outdir}${name}.js`);
    ids[name] = `${name}-${createHash("sha256").update(source).digest("hex").slice(0, 12)}`;
  }
  return ids;
}

async function version() {
  const project = await readFile(new URL("../pyproject.toml", import.meta.url), "utf8");
  return /^version = "(.+)"$/m.exec(project)[1];
}

async function writeJson(url, value) {
  await writeFile(url, `${JSON.stringify(value, null, 2)}\n`);
}
