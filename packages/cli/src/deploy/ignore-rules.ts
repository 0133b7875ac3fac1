import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Says whether a path below the folder (with `/`, relative) stays out of the bundle. */
export type IsIgnored = (path: string, isDirectory: boolean) => boolean;

/** Never of use at run time, or nobody's business: credentials are not code. `!` in .chayaignore takes one back. */
const alwaysIgnored = [".git/", ".chaya/", ".chayaignore", ".fnignore", ".DS_Store", ".env", ".env.*", ".npmrc"];
/** What editors keep beside a file while it is open, or leave behind. */
const editorFiles = ["*~", ".*.sw?", ".#*", "4913"];
const rulesBytesMax = 64 * 1024;

/** The rules of .chayaignore, else .fnignore, after `before` and those that always hold. The last that matches decides. */
export async function readIgnoreRules(folder: string, before: readonly string[] = []): Promise<IsIgnored> {
  const path = [".chayaignore", ".fnignore"]
    .map((name) => join(folder, name))
    .find((candidate) => existsSync(candidate));
  const text = path === undefined ? "" : (await readFile(path, "utf8")).slice(0, rulesBytesMax);
  return ignoreRules([...alwaysIgnored, ...editorFiles, ...before, ...text.split(/\r?\n/)]);
}

/** Rules in the language of .gitignore: `*`, `?`, `**`, `/` at the start or end, `!`, `#`. */
export function ignoreRules(lines: readonly string[]): IsIgnored {
  const rules = lines
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(readRule);
  return (path, isDirectory) => {
    let isIgnored = false;
    for (const rule of rules) {
      if (rule.isForDirectories && !isDirectory) continue;
      if (fitsPath(rule.segments, path)) isIgnored = !rule.isException;
    }
    return isIgnored;
  };
}

interface Rule {
  readonly segments: readonly string[];
  readonly isException: boolean;
  readonly isForDirectories: boolean;
}

function readRule(line: string): Rule {
  const isException = line.startsWith("!");
  const body = isException ? line.slice(1) : line;
  const path = body.replace(/\/+$/, "");
  const segments = path.replace(/^\//, "").split("/");
  // A slash inside fixes the rule to the folder; without one it holds at every depth.
  if (!path.includes("/")) segments.unshift("**");
  // `logs/**` is what lies in logs, not logs itself.
  if (segments.length > 1 && segments.at(-1) === "**") segments.splice(-1, 0, "*");
  return { segments, isException, isForDirectories: body.endsWith("/") };
}

function fitsPath(segments: readonly string[], path: string): boolean {
  return fits(segments, path.split("/"), { isAny: (part) => part === "**", isEqual: fitsSegment });
}

function fitsSegment(pattern: string, segment: string): boolean {
  const isEqual = (part: string, character: string) => part === "?" || part === character;
  return fits([...pattern], [...segment], { isAny: (part) => part === "*", isEqual });
}

interface Comparison {
  /** The part stands for any number of items. */
  readonly isAny: (part: string) => boolean;
  readonly isEqual: (part: string, item: string) => boolean;
}

/** Matches a pattern by going back to its last `isAny` part only: product of the lengths at worst, never more. */
function fits(pattern: readonly string[], items: readonly string[], { isAny, isEqual }: Comparison): boolean {
  let at = 0;
  let last: { readonly after: number; readonly from: number } | undefined;
  for (let item = 0; item < items.length; ) {
    const part = pattern[at];
    if (part !== undefined && isAny(part)) {
      at += 1;
      last = { after: at, from: item };
    } else if (part !== undefined && isEqual(part, items[item] ?? "")) {
      at += 1;
      item += 1;
    } else {
      if (last === undefined) return false;
      last = { after: last.after, from: last.from + 1 };
      at = last.after;
      item = last.from;
    }
  }
  return pattern.slice(at).every(isAny);
}
