import { limits } from "@chaya/contract";
import { recordInvalid } from "./record-invalid.ts";

export type RecordConfig = Readonly<Record<string, string>>;

/** The configuration of a new record, as given: empty values stay. Throws `fn-record-invalid`. */
export function newConfig(given: RecordConfig): RecordConfig {
  return checked(new Map(Object.entries(given)));
}

/** The configuration after a change: an empty value deletes its key. Throws `fn-record-invalid`. */
export function mergeConfig(before: RecordConfig, change: RecordConfig): RecordConfig {
  const config = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(change)) {
    if (value === "") config.delete(key);
    else config.set(key, value);
  }
  return checked(config);
}

/** Configuration becomes environment variables: what could never be one is refused. Keys come out in order of bytes. */
function checked(config: ReadonlyMap<string, string>): RecordConfig {
  if (config.size > limits.configEntriesMax)
    throw recordInvalid(`Invalid config, at most ${limits.configEntriesMax} keys are allowed`);
  let bytes = 0;
  for (const [key, value] of config) {
    if (key === "" || /[=\0]/.test(key))
      throw recordInvalid("Invalid config key, config keys must be non-empty strings without '=' and NUL");
    if (value.includes("\0")) throw recordInvalid(`Invalid config value of '${key}', it must not contain NUL`);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > limits.configBytesMax)
    throw recordInvalid(`Invalid config, keys and values may have at most ${limits.configBytesMax} bytes together`);
  return Object.fromEntries([...config].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
}
