/** Lets pieces of work that hold the event loop go on one a turn, so that everything else gets its share between them. */
export class OneATurn {
  #last: Promise<void> = Promise.resolve();

  /** Resolves in a turn that nobody else got. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.#last;
  }
}
