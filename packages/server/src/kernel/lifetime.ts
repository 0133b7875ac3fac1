/** Owns resources and closes them newest first. Closing again waits for the first close. */
export class Lifetime implements AsyncDisposable {
  readonly #owned: AsyncDisposable[] = [];
  #closing: Promise<void> | undefined;

  own<T extends AsyncDisposable>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** Owns a closing action that belongs to no object. */
  onClose(close: () => Promise<void> | void): void {
    this.#owned.push({ [Symbol.asyncDispose]: async () => close() });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Every resource is closed even when one fails; the failures are thrown together at the end. */
  async #close(): Promise<void> {
    const failures: unknown[] = [];
    for (const resource of this.#owned.reverse()) {
      try {
        await resource[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "closing failed");
  }
}
