import { limits } from "@chaya/contract";

/** The last lines that an instance printed while it started: they tell why it could not. */
export class StartOutput {
  readonly #lines: Uint8Array[] = [];

  add(line: Uint8Array): void {
    this.#lines.push(line);
    if (this.#lines.length > limits.startOutputLinesMax) this.#lines.shift();
  }

  /** The lines without secrets, each cut to its limit, and of these the last that the limit of all lets pass. */
  text(redact: (bytes: Uint8Array) => Uint8Array): string | undefined {
    // Redacted before they are cut: a part of a secret would not be found.
    const lines = this.#lines.map((line) => cut(Buffer.from(redact(line)).toString()));
    let charactersLeft: number = limits.startOutputCharactersMax;
    const first = lines.findLastIndex((line) => {
      charactersLeft -= line.length + 1;
      return charactersLeft < 0;
    });
    const text = lines
      .slice(first + 1)
      .join("\n")
      .trimEnd();
    return text.trim() === "" ? undefined : text;
  }
}

function cut(line: string): string {
  const { startOutputLineCharactersMax: charactersMax } = limits;
  return line.length > charactersMax ? `${line.slice(0, charactersMax)}…` : line;
}
