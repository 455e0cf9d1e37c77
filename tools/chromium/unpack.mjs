// Unpacks the browser of @sparticuz/chromium into the folder named on the command line: the program, its
// fonts, and the libraries that a small system lacks (the caller decides whether these are used).
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createBrotliDecompress } from "node:zlib";

const target = process.argv[2];
const entry = fileURLToPath(import.meta.resolve("@sparticuz/chromium"));
const packed = join(dirname(entry), "..", "bin");
await mkdir(target, { recursive: true });
for (const name of ["chromium", "al2023.tar", "fonts.tar"]) {
  await pipeline(
    createReadStream(join(packed, `${name}.br`)),
    createBrotliDecompress(),
    createWriteStream(join(target, name)),
  );
}
await chmod(join(target, "chromium"), 0o755);
