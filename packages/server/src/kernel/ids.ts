import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** Makes ids: 26 characters of Crockford base 32, upper case, increasing in byte order within one generator. */
export type NewId = () => string;

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const idPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export function isId(text: string): boolean {
  return idPattern.test(text);
}

/** The time an id was made, in milliseconds since the epoch; increases with the id. */
export function idTimeMs(id: string): number {
  let ms = 0;
  for (let position = 0; position < 10; position++) ms = ms * 32 + alphabet.indexOf(id.charAt(position));
  return ms;
}

/** What every id made in that millisecond begins with: smaller than all of them, greater than all older ones. */
export function idPrefixAt(ms: number): string {
  return encodeTime(ms);
}

/**
 * A monotonic ULID generator: 48 bits of time, 80 bits of chance; within one millisecond the chance part counts up.
 * The time never goes back, even when the clock does. Source: the ULID specification, "Monotonicity".
 */
export function createIds(clock: Pick<Clock, "nowMs">, random: Random): NewId {
  let lastMs = -1;
  const digits = new Uint8Array(16);
  const text = Buffer.alloc(26);
  return () => {
    const nowMs = clock.nowMs();
    if (nowMs > lastMs) {
      lastMs = nowMs;
      text.write(encodeTime(nowMs), "latin1");
      fillRandom(digits, random);
    } else {
      increment(digits);
    }
    // Made whole: text that is joined from pieces is copied again when it is first compared.
    for (let index = 0; index < digits.length; index++) text[10 + index] = alphabet.charCodeAt(digits[index] ?? 0);
    return text.toString("latin1");
  };
}

function encodeTime(ms: number): string {
  let rest = ms;
  let text = "";
  for (let position = 0; position < 10; position++) {
    text = alphabet[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function fillRandom(digits: Uint8Array, random: Random): void {
  const bytes = random.bytes(digits.length);
  for (let index = 0; index < digits.length; index++) digits[index] = (bytes[index] ?? 0) & 31;
  // Half of the space stays free above the first id of a millisecond, so counting up cannot overflow.
  digits[0] = (digits[0] ?? 0) & 15;
}

function increment(digits: Uint8Array): void {
  for (let index = digits.length - 1; index >= 0; index--) {
    const digit = digits[index] ?? 0;
    if (digit < 31) {
      digits[index] = digit + 1;
      return;
    }
    digits[index] = 0;
  }
}
