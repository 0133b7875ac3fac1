const mark = Buffer.from("[secret]");
const keyBegin = Buffer.from("-----BEGIN PRIVATE KEY-----");
const keyEnd = Buffer.from("-----END PRIVATE KEY-----");
/** An RSA-2048 key has 26. */
const keyLinesMax = 64;
const [tab, carriageReturn, space, backslash] = [9, 13, 32, 92];

/**
 * Hides the private key and the tokens of an instance in one stream of what it prints, line by line. A few searches a
 * line by the machine's own instructions: nothing of it is looked for character by character unless something begins.
 */
export class CredentialMask {
  /** What all tokens of the platform begin with: the same header. */
  readonly #tokenBegin: () => Buffer | undefined;
  /** Lines that may still belong to a key that has begun. */
  #keyLinesLeft = 0;

  constructor(tokenBegin: () => Buffer | undefined) {
    this.#tokenBegin = tokenBegin;
  }

  /** Gives the same bytes back when there is nothing to hide. */
  hide(line: Uint8Array): Uint8Array {
    const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
    return this.#hideTokens(this.#hideKeys(bytes));
  }

  #hideKeys(bytes: Buffer): Buffer {
    if (this.#keyLinesLeft > 0) {
      this.#keyLinesLeft--;
      const end = bytes.indexOf(keyEnd);
      if (end >= 0) {
        this.#keyLinesLeft = 0;
        return Buffer.concat([mark, this.#hideKeys(bytes.subarray(end + keyEnd.length))]);
      }
      if (bytes.every(isOfKey)) return mark;
    }
    const begin = bytes.indexOf(keyBegin);
    if (begin < 0) return bytes;
    const end = bytes.indexOf(keyEnd, begin);
    if (end < 0) this.#keyLinesLeft = keyLinesMax;
    const rest = end < 0 ? bytes.subarray(bytes.length) : this.#hideKeys(bytes.subarray(end + keyEnd.length));
    return Buffer.concat([bytes.subarray(0, begin), mark, rest]);
  }

  #hideTokens(bytes: Buffer): Buffer {
    const tokenBegin = this.#tokenBegin();
    const begin = tokenBegin === undefined ? -1 : bytes.indexOf(tokenBegin);
    if (begin < 0) return bytes;
    let end = begin;
    while (end < bytes.length && isOfToken(bytes[end] ?? 0)) end++;
    return Buffer.concat([bytes.subarray(0, begin), mark, this.#hideTokens(bytes.subarray(end))]);
  }
}

/** Base64, and what may stand around its lines. */
function isOfKey(byte: number): boolean {
  return isWord(byte) || [43, 47, 61, tab, carriageReturn, space, backslash].includes(byte);
}

/** Base64url and the dots between the parts. */
function isOfToken(byte: number): boolean {
  return isWord(byte) || byte === 45 || byte === 46 || byte === 95;
}

function isWord(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}
