// Builds the packages and packs them: published packages ship built files, because Node strips no types below
// node_modules.  usage: node scripts/pack.ts [DIRECTORY]   (default: dist)
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** In order of dependence. */
const packageNames = ["contract", "fdk", "client", "server", "cli"] as const;

interface Manifest {
  name: string;
  exports: Record<string, unknown>;
  files?: string[];
  [key: string]: unknown;
}

const target = resolve(process.argv[2] ?? join(root, "dist"));
mkdirSync(target, { recursive: true });
for (const name of packageNames) console.log(pack(name));

/** Returns the path of the tarball. */
function pack(name: string): string {
  const source = join(root, "packages", name);
  const staging = mkdtempSync(join(tmpdir(), `chaya-pack-${name}-`));
  try {
    build(source, join(staging, "dist"));
    // package.json is ours: exports is a map of paths.
    const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as Manifest;
    writeFileSync(join(staging, "package.json"), JSON.stringify(publishedManifest(manifest), null, 2));
    for (const extra of ["README.md", "bin"])
      if (existsSync(join(source, extra))) cpSync(join(source, extra), join(staging, extra), { recursive: true });
    cpSync(join(root, "LICENSE"), join(staging, "LICENSE"));
    const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", target], {
      cwd: staging,
      encoding: "utf8",
    });
    return join(target, packed.trim());
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function build(source: string, outDir: string): void {
  const tsc = join(root, "node_modules/.bin/tsc");
  execFileSync(tsc, ["-p", join(source, "tsconfig.json"), "--outDir", outDir], { stdio: "inherit" });
  copyScripts(join(source, "src"), outDir);
}

/** What runs inside of instances is no TypeScript, and the compiler leaves it behind. */
function copyScripts(source: string, outDir: string): void {
  for (const path of readdirSync(source, { encoding: "utf8", recursive: true }))
    if (/\/inside\/[^/]+\.(cjs|mjs|py)$/.test(path)) cpSync(join(source, path), join(outDir, path));
}

function publishedManifest(manifest: Manifest): Manifest {
  const exports: Record<string, unknown> = {};
  for (const [entry, path] of Object.entries(manifest.exports)) {
    const built = String(path).replace("./src/", "./dist/").replace(/\.ts$/, "");
    exports[entry] = { types: `${built}.d.ts`, default: `${built}.js` };
  }
  // What is for tests only is not published.
  delete exports["./testing"];
  if (manifest.name === "@chaya/fdk")
    exports["./testing"] = { types: "./dist/testing.d.ts", default: "./dist/testing.js" };
  return { ...manifest, exports, files: ["dist", "bin"] };
}
