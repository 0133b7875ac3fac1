/** Who listens for hints in this process, by channel. */
export class HintListeners {
  readonly #listeners = new Map<string, Set<() => void>>();

  add(channel: string, listener: () => void): Disposable {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners);
    // One function may listen twice: each registration is its own.
    const registration = () => listener();
    listeners.add(registration);
    return {
      [Symbol.dispose]: () => {
        listeners.delete(registration);
        if (listeners.size === 0 && this.#listeners.get(channel) === listeners) this.#listeners.delete(channel);
      },
    };
  }

  notify(channel: string): void {
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener();
  }

  /** Hints may have been lost: everybody looks. */
  notifyAll(): void {
    for (const channel of [...this.#listeners.keys()]) this.notify(channel);
  }
}
