/**
 * Runs tasks together at the end of this turn of the event loop. Small writes that are made one right after the other
 * cost half of what they cost scattered over a turn: each one alone may have to wake a sleeping processor for whoever
 * reads it. Whoever waits alone loses nothing, because a turn with one event ends right after it.
 */
export class TurnEnd {
  #tasks: (() => void)[] = [];

  /** `task` must not throw. */
  add(task: () => void): void {
    if (this.#tasks.push(task) === 1) setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  };
}
