// Unpacks Chromium, with the libraries and fonts that a bare machine may lack, once: after `npm ci`.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const directory = join(import.meta.dirname, "node_modules", ".chromium");
const fonts = join(directory, "fonts");

await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });
// The package unpacks below the temporary directory, and its libraries only where it takes the machine for a Lambda.
process.env.TMPDIR = directory;
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
const { default: chromium } = await import("@sparticuz/chromium");
await chromium.executablePath();
await writeFile(
  join(fonts, "fonts.conf"),
  `<?xml version="1.0"?><fontconfig><dir>${fonts}</dir><cachedir>${fonts}/cache</cachedir></fontconfig>\n`,
);
