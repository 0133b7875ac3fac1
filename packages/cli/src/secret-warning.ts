import { visibleText } from "./visible-text.ts";

/** Says that a configuration key looks like a secret, and the command that keeps it as one. */
export function secretWarning(of: {
  readonly key: string;
  readonly app: string;
  readonly fn: string | undefined;
}): string {
  const key = visibleText(of.key);
  const scope = of.fn === undefined ? "" : ` --fn ${of.fn}`;
  return [
    `Warning: the config key ${key} looks like a secret; everyone who can read the function can read it.\n`,
    `  Keep it write-only with: chaya secrets set ${of.app} ${key}${scope}\n`,
  ].join("");
}
