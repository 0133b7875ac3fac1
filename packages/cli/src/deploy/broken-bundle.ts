import type { Complaint } from "../cli-error.ts";
import { complaintText } from "../cli-error.ts";
import { gzippedTar } from "./tar.ts";

const scriptPath = ".chaya/broken.cjs";

/** A function that cannot start and prints why its code could not be packed: its callers read that in their answer. */
export function brokenBundle(complaint: Complaint): Buffer {
  const text = complaintText(complaint).replace(/^chaya: /, "");
  const script = `process.stderr.write(${JSON.stringify(text)}, () => process.exit(1));\n`;
  const manifest = { formatVersion: 1, runtime: "node", entrypoint: ["node", scriptPath] };
  const files = Object.entries({ ".chaya/bundle.json": JSON.stringify(manifest), [scriptPath]: script });
  return gzippedTar(files.map(([path, content]) => ({ path, bytes: Buffer.from(content), isExecutable: false })));
}
