import { limits } from "./limits.ts";

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What the platform itself puts into a function's environment. */
const reservedNames = /^(FN_|CHAYA_|OCI_RESOURCE_PRINCIPAL_|(PATH|HOME|TMPDIR|OCI_LOCAL_ENDPOINT)$)/;

/** Why `name` cannot be the name of a secret, as the end of a sentence; undefined when it can. */
export function secretNameProblem(name: string): string | undefined {
  if (!namePattern.test(name))
    return "a secret's name is an environment variable: letters, digits and _, no digit first";
  if (name.length > limits.nameBytesMax) return `a secret's name has at most ${limits.nameBytesMax} characters`;
  if (reservedNames.test(name)) return `the platform itself sets ${name} in a function's environment`;
  return undefined;
}

const secretWords =
  /(^|_)(PASSWORDS?|PASSWD|PWD|PASSPHRASE|TOKEN|SECRETS?|CREDENTIALS?|(API|ACCESS|PRIVATE|SECRET|SIGNING|ENCRYPTION|MASTER|SSH|AUTH)_?KEY)(_|$)/;
/** PASSWORD_FILE, TOKEN_URL, ACCESS_KEY_ID: these tell where or which, not what. */
const harmlessEnds =
  /_(FILE|PATH|DIR|URL|URI|HOST|NAME|ID|OCID|ARN|TTL|TYPE|LENGTH|COUNT|LIMIT|MIN|MAX|MS|SECONDS|EXPIRY|HEADER|ALGORITHM|ENABLED)$/;
const harmlessValue = /^(true|false|yes|no|on|off|none|null)?$/i;
const secretValues = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  // A URL with a password in it.
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i,
  // JSON Web Token; tokens of GitHub, GitLab, Slack, Stripe and OpenAI-like services; an AWS or Google API key.
  /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*$/,
  /^(gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|[rs]k_(live|test)_|sk-)[\w-]{16,}$/,
  /^(AKIA|ASIA)[A-Z0-9]{16}$/,
  /^AIza[\w-]{35}$/,
];

/** Whether a configuration entry looks like a credential, which belongs into a secret. For warnings only. */
export function looksSecret(key: string, value: string): boolean {
  if (secretValues.some((pattern) => pattern.test(value))) return true;
  if (harmlessValue.test(value)) return false;
  const words = upperSnake(key);
  return secretWords.test(words) && !harmlessEnds.test(words);
}

/** `dbPassword`, `db-password` and `DB_PASSWORD` are one name. */
function upperSnake(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase();
}
