/** One profile of an OCI configuration file. */
export interface OciProfile {
  readonly name: string;
  readonly user: string;
  readonly fingerprint: string;
  readonly tenancy: string;
  readonly region: string;
  readonly keyFile: string;
}

const header = /^[ \t]*\[([^\]\r\n]*)\]/;
const blankOrComment = /^\s*([#;].*\s*)?$/;

/** The text of the file with this profile in it, added or replaced; everything else stays byte for byte. */
export function withProfile(text: string, profile: OciProfile): string {
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  const made = profileLines(profile)
    .map((line) => line + lineEnd)
    .join("");
  const { lines, start, end } = findSection(text, profile.name);
  if (start !== -1) return lines.slice(0, start).join("") + made + lines.slice(end).join("");
  if (text === "") return made;
  return text + (text.endsWith("\n") ? "" : lineEnd) + lineEnd + made;
}

/** What the profile says of `key`; undefined where there is none. */
export function profileValue(text: string, profile: string, key: string): string | undefined {
  const { lines, start, end } = findSection(text, profile);
  if (start === -1) return undefined;
  for (const line of lines.slice(start + 1, end)) {
    const [, name, value] = /^\s*([^=:#;]+?)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === key) return value;
  }
  return undefined;
}

/** Lines with their ends, and where the profile is in them: without the blank lines and comments before the next one. */
function findSection(text: string, name: string) {
  const lines = text.split(/(?<=\n)/);
  const start = lines.findIndex((line) => header.exec(line)?.[1] === name);
  const next = lines.findIndex((line, index) => index > start && header.test(line));
  let end = next === -1 ? lines.length : next;
  while (end > start + 1 && blankOrComment.test(lines[end - 1] ?? "")) end--;
  return { lines, start, end };
}

function profileLines({ name, user, fingerprint, tenancy, region, keyFile }: OciProfile): readonly string[] {
  const entries = { user, fingerprint, tenancy, region, key_file: keyFile };
  return [`[${name}]`, ...Object.entries(entries).map(([key, value]) => `${key}=${value}`)];
}
