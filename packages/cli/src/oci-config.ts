/** One profile of an OCI configuration file. */
export interface OciProfile {
  readonly name: string;
  readonly user: string;
  readonly fingerprint: string;
  readonly tenancy: string;
  readonly region: string;
  readonly keyFile: string;
}

const header = /^\s*\[([^\]]*)\]\s*$/;

/** The text of the file with this profile in it, added or replaced; everything else stays byte for byte. */
export function withProfile(text: string, profile: OciProfile): string {
  const lines = text === "" ? [] : text.replace(/\r?\n$/, "").split("\n");
  const start = lines.findIndex((line) => header.exec(line)?.[1] === profile.name);
  const made = profileLines(profile);
  if (start === -1) return `${[...lines, ...(lines.length > 0 ? [""] : []), ...made].join("\n")}\n`;
  const next = lines.findIndex((line, index) => index > start && header.test(line));
  const rest = next === -1 ? [] : ["", ...lines.slice(next)];
  return `${[...lines.slice(0, start), ...made, ...rest].join("\n")}\n`;
}

function profileLines({ name, user, fingerprint, tenancy, region, keyFile }: OciProfile): readonly string[] {
  const entries = { user, fingerprint, tenancy, region, key_file: keyFile };
  return [`[${name}]`, ...Object.entries(entries).map(([key, value]) => `${key}=${value}`)];
}
