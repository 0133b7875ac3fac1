/**
 * Which ids were added, by 32 bits of each: it takes one for another once in millions of times and never forgets one.
 * A Set of as many costs ten times as much, and all the ids stay in memory.
 */
export class IdFilter {
  /** Open addressing; 0 is free. */
  #marks = new Uint32Array(64);
  #count = 0;

  has(id: string): boolean {
    const mark = markOf(id);
    return this.#marks[this.#placeOf(mark)] === mark;
  }

  /** Hot path. false: it was added before. */
  add(id: string): boolean {
    const mark = markOf(id);
    const place = this.#placeOf(mark);
    if (this.#marks[place] === mark) return false;
    this.#marks[place] = mark;
    this.#count++;
    if (this.#count * 2 > this.#marks.length) this.#grow();
    return true;
  }

  /** Where the mark is, or would be put. */
  #placeOf(mark: number): number {
    const last = this.#marks.length - 1;
    let place = mark & last;
    while (this.#marks[place] !== 0 && this.#marks[place] !== mark) place = (place + 1) & last;
    return place;
  }

  #grow(): void {
    const marks = this.#marks;
    this.#marks = new Uint32Array(marks.length * 2);
    for (const mark of marks) if (mark !== 0) this.#marks[this.#placeOf(mark)] = mark;
  }
}

/** FNV-1a, its high bits mixed into the low ones (Fowler, Noll, Vo); never 0. */
function markOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0 || 1;
}
