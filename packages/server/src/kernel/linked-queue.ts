/** A FIFO queue whose ends cost O(1) and whose entries can be removed from the middle. */
export class LinkedQueue<T> {
  #head: QueueEntry<T> | undefined;
  #tail: QueueEntry<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: T): QueueEntry<T> {
    const entry: QueueEntry<T> = { value, previous: this.#tail, next: undefined, isQueued: true };
    if (this.#tail === undefined) this.#head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
    this.#size++;
    return entry;
  }

  /** Takes the oldest value. */
  shift(): T | undefined {
    const entry = this.#head;
    if (entry === undefined) return undefined;
    this.remove(entry);
    return entry.value;
  }

  /** Takes the newest value. */
  pop(): T | undefined {
    const entry = this.#tail;
    if (entry === undefined) return undefined;
    this.remove(entry);
    return entry.value;
  }

  peek(): T | undefined {
    return this.#head?.value;
  }

  /** Removes an entry wherever it stands; false when it had left already. */
  remove(entry: QueueEntry<T>): boolean {
    if (!entry.isQueued) return false;
    entry.isQueued = false;
    if (entry.previous === undefined) this.#head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#tail = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.#size--;
    return true;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let entry = this.#head; entry !== undefined; entry = entry.next) yield entry.value;
  }
}

export interface QueueEntry<T> {
  readonly value: T;
  previous: QueueEntry<T> | undefined;
  next: QueueEntry<T> | undefined;
  isQueued: boolean;
}
