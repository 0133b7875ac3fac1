import { assert } from "../../kernel/assert.ts";
import type { SqlValue } from "./sql-value.ts";

export type ColumnType = "text" | "integer" | "blob";

/**
 * Rows of an insert as a few large values, cheap to keep and to hand to a thread, where a list for
 * each row and a check for each value cost more than writing them.
 */
export interface Rows {
  readonly columns: readonly ColumnType[];
  readonly count: number;
  /** Row after row, for each value an integer itself, or the length of a text in UTF-16 units, of a blob in bytes; NaN: null. */
  readonly cells: Float64Array;
  /** The texts one after the other, in UTF-8. */
  readonly texts: Uint8Array;
  readonly blobs: Uint8Array;
}

/** Gathers rows of an insert. What one of the databases would refuse or change is refused here, as a bug. */
export class RowBuffer {
  readonly #columns: readonly ColumnType[];
  #count = 0;
  #cells = new Float64Array(0);
  #texts = Buffer.alloc(0);
  #textBytes = 0;
  readonly #blobs: Uint8Array[] = [];

  constructor(columns: readonly ColumnType[]) {
    this.#columns = columns;
  }

  get count(): number {
    return this.#count;
  }

  /** Hot path. Values in the order of the columns; the bytes of a blob must not change any more. */
  add(values: readonly SqlValue[]): void {
    const width = this.#columns.length;
    const start = this.#count * width;
    assert(values.length === width, "a row has a value for each column");
    if (start === this.#cells.length) this.#growCells();
    let text = "";
    for (let column = 0; column < width; column++) {
      const value = values[column] ?? null;
      this.#cells[start + column] = toCell(value, this.#columns[column]);
      if (typeof value === "string") text += value;
    }
    this.#addText(text);
    for (const value of values) if (value instanceof Uint8Array) this.#blobs.push(value);
    this.#count++;
  }

  /** A copy: what is added later is not in it. */
  rows(): Rows {
    return {
      columns: this.#columns,
      count: this.#count,
      cells: this.#cells.slice(0, this.#count * this.#columns.length),
      texts: new Uint8Array(this.#texts.subarray(0, this.#textBytes)),
      blobs: new Uint8Array(Buffer.concat(this.#blobs)),
    };
  }

  #growCells(): void {
    const larger = new Float64Array(Math.max(firstRows * this.#columns.length, this.#cells.length * 2));
    larger.set(this.#cells);
    this.#cells = larger;
  }

  #addText(text: string): void {
    assert(!text.includes("\u0000"), "text with U+0000 belongs into a blob");
    assert(text.isWellFormed(), "text with half of a surrogate pair cannot be stored");
    const bytesMax = this.#textBytes + text.length * utf8BytesMax;
    if (bytesMax > this.#texts.length) {
      const larger = Buffer.alloc(Math.max(firstTextBytes, bytesMax, this.#texts.length * 2));
      this.#texts.copy(larger);
      this.#texts = larger;
    }
    this.#textBytes += this.#texts.write(text, this.#textBytes, "utf8");
  }
}

const firstRows = 16;
const firstTextBytes = 2_048;
/** Of a UTF-16 unit. */
const utf8BytesMax = 3;

function toCell(value: SqlValue, type: ColumnType | undefined): number {
  if (value === null) return Number.NaN;
  switch (typeof value) {
    case "number":
      assert(type === "integer" && Number.isSafeInteger(value), "a number is an integer within ±2^53");
      return value;
    case "string":
      assert(type === "text", "a text belongs into a column of text");
      return value.length;
    default:
      assert(type === "blob" && value instanceof Uint8Array, "bytes belong into a column of bytes");
      return value.length;
  }
}

/** Calls `visit` for each row, always with the same list; its blobs are views of the rows. */
export function eachRow(
  { columns, count, cells, texts, blobs }: Rows,
  visit: (values: readonly SqlValue[]) => void,
): void {
  const text = Buffer.from(texts.buffer, texts.byteOffset, texts.length).toString("utf8");
  const values: SqlValue[] = columns.map(() => null);
  let cell = 0;
  let textAt = 0;
  let blobAt = 0;
  for (let row = 0; row < count; row++) {
    for (let column = 0; column < columns.length; column++) {
      const size = cells[cell++] ?? Number.NaN;
      const type = columns[column];
      if (Number.isNaN(size)) values[column] = null;
      else if (type === "integer") values[column] = size;
      else if (type === "text") {
        values[column] = text.slice(textAt, textAt + size);
        textAt += size;
      } else {
        values[column] = blobs.subarray(blobAt, blobAt + size);
        blobAt += size;
      }
    }
    visit(values);
  }
}
