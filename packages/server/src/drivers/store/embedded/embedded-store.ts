import { dirname } from "node:path";
import { limits, Problem } from "@chaya/contract";
import { type CompiledQuery, type Kysely, type RawBuilder, sql } from "kysely";
import { assert } from "../../../kernel/assert.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { idPrefixAt } from "../../../kernel/ids.ts";
import { bindParameters, bindStatement } from "../bind-statement.ts";
import {
  type Applied,
  type ColumnType,
  type Migration,
  type Statement,
  type StatementResult,
  type Store,
  transactionMsMax,
} from "../driver.ts";
import { HintListeners } from "../hint-listeners.ts";
import { type OpenTransaction, runInteractive, TransactionScope } from "../interactive-transaction.ts";
import { compileMigrations } from "../migrations/compile-migrations.ts";
import { kyselyOver } from "../query-runner.ts";
import { DatabaseThread } from "./database-thread.ts";
import { type ReadRoom, roomOf } from "./disk-room.ts";
import { Writer } from "./writer.ts";

export interface EmbeddedStoreOptions {
  /** Absolute path; its directory exists, and this process alone uses it. */
  readonly file: string;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  /** The disk the file is on, unless given. Below `limits.diskFreeShareMin` writes are refused. */
  readonly readRoom?: ReadRoom;
  /** The file may not grow beyond; as far as the disk goes, unless given. */
  readonly bytesMax?: number;
  readonly transactionMsMax?: number;
  /** Nobody waits for it: its writes give way to everything else, and its threads end while nothing is asked of them. */
  readonly isBackground?: boolean;
}

/**
 * Opens the store in a file of SQLite, and makes or migrates it. Throws `store-unfit` when a newer version wrote it,
 * `store-damaged` or `store-unavailable` when the file is damaged or cannot be opened.
 */
export async function openEmbeddedStore<Tables>(options: EmbeddedStoreOptions): Promise<Store<Tables>> {
  const readRoom = options.readRoom ?? roomOf(dirname(options.file));
  const { clock, isBackground = false } = options;
  const data = {
    file: options.file,
    migrations: compileMigrations(options.migrations, "embedded"),
    nowMs: clock.nowMs(),
    bytesMax: options.bytesMax,
    isBackground,
  };
  const shared = { clock, freeBytes: () => readRoom().freeBytes };
  const writer = new DatabaseThread({ ...shared, data: { ...data, role: "writer" }, sleeps: isBackground });
  const reader = new DatabaseThread({ ...shared, data: { ...data, role: "reader" }, sleeps: true });
  try {
    await writer.open();
    return new EmbeddedStore<Tables>(options, { writer, reader, readRoom });
  } catch (error) {
    await writer.close();
    throw error;
  }
}

interface Parts {
  readonly writer: DatabaseThread;
  readonly reader: DatabaseThread;
  readonly readRoom: ReadRoom;
}

class EmbeddedStore<Tables> implements Store<Tables> {
  readonly kind = "embedded";
  readonly claimsSkipLocked = false;
  readonly db: Kysely<Tables>;
  readonly #clock: Clock;
  readonly #isBackground: boolean;
  readonly #transactionMsMax: number;
  readonly #parts: Parts;
  readonly #writer: Writer;
  readonly #scope = new TransactionScope();
  readonly #hints = new HintListeners();
  /** Reads that found the writer busy since then. */
  #waited = 0;
  #waitedSinceMs = 0;
  #closing: Promise<void> | undefined;

  constructor(options: EmbeddedStoreOptions, parts: Parts) {
    this.#clock = options.clock;
    this.#isBackground = options.isBackground ?? false;
    this.#transactionMsMax = options.transactionMsMax ?? transactionMsMax;
    this.#parts = parts;
    this.#writer = new Writer(parts.writer, () => this.#requireRoom());
    this.db = kyselyOver<Tables>("embedded", (query) => this.#read(query));
  }

  async apply(statements: readonly Statement[]): Promise<Applied> {
    this.#scope.assertOutside("apply()");
    return this.#writer.apply(statements.map(bindStatement), { frees: false });
  }

  async transaction<T>(work: (tx: Kysely<Tables>) => Promise<T>): Promise<T> {
    this.#scope.assertOutside("transaction()");
    const options = { kind: this.kind, clock: this.#clock, msMax: this.#transactionMsMax } as const;
    return this.#writer.exclusively(async () => {
      this.#requireRoom();
      await this.#parts.writer.ask({ kind: "begin" });
      return runInteractive<Tables, T>(options, this.#scope, { open: this.#openTransaction(), work });
    });
  }

  rowsOf(columns: readonly ColumnType[]): RawBuilder<unknown> {
    return sql.raw(`values (${columns.map(() => "?").join(", ")})`);
  }

  now(): RawBuilder<number> {
    // A parameter of its own has no type in SQL where it stands alone.
    return sql<number>`cast(${this.#clock.nowMs()} as bigint)`;
  }

  async nowMs(): Promise<number> {
    return this.#clock.nowMs();
  }

  hint(channel: string): void {
    this.#scope.leave(() => this.#writer.afterPending(() => this.#hints.notify(channel)));
  }

  onHint(channel: string, listener: () => void): Disposable {
    return this.#hints.add(channel, listener);
  }

  async trim(table: keyof Tables & string, beforeMs: number): Promise<void> {
    this.#scope.assertOutside("trim()");
    const old = sql`select id from ${sql.table(table)} where id < ${idPrefixAt(beforeMs)} order by id limit ${trimmedRows}`;
    const query = sql`delete from ${sql.table(table)} where id in (${old})`.compile(this.db);
    // Several rows may have the same id.
    for (let removed = trimmedRows; removed >= trimmedRows; ) {
      const applied = await this.#writer.apply([bindStatement({ query })], { frees: true });
      assert(applied.kind === "applied", "a deletion without expectation is not refused");
      removed = applied.results[0]?.affected ?? 0;
    }
    await this.#writer.exclusively(() => this.#parts.writer.ask({ kind: "shrink", pagesMax: trimmedPages }));
  }

  async health(): Promise<{ readonly bytes: number; readonly isWritable: boolean }> {
    const { rows } = await this.#ask(
      "select (page_count - freelist_count) * page_size as bytes from pragma_page_count, pragma_freelist_count, pragma_page_size",
    );
    return { bytes: Number(rows[0]?.bytes), isWritable: hasRoom(this.#parts.readRoom) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    await this.#parts.reader.close();
    await this.#parts.writer.close();
  }

  async #read(query: CompiledQuery): Promise<StatementResult> {
    this.#scope.assertOutside("db");
    return this.#ask(query.sql, query);
  }

  async #ask(text: string, query?: CompiledQuery): Promise<StatementResult> {
    const parameters = query === undefined ? [] : bindParameters(query);
    const statement = { sql: text, parameters, rows: undefined, expect: "any" } as const;
    const { reader, writer } = this.#parts;
    const read = { kind: "read", statement } as const;
    const reply = await (this.#readsWithWriter() ? this.#writer.inTurn(() => writer.ask(read)) : reader.ask(read));
    assert(reply.kind === "result", "a statement is answered with its result");
    return reply.result;
  }

  /** Where little happens one thread does all of it. Once reads have to wait for it often, they have their own. */
  #readsWithWriter(): boolean {
    if (this.#isBackground || this.#parts.reader.isAwake || this.#writer.isHeld) return false;
    if (this.#writer.isIdle) return true;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#waitedSinceMs >= 1_000) {
      this.#waitedSinceMs = nowMs;
      this.#waited = 0;
    }
    this.#waited++;
    return this.#waited <= waitingReadsPerSecond;
  }

  #openTransaction(): OpenTransaction {
    const { writer } = this.#parts;
    return {
      run: async (query) => {
        const reply = await writer.ask({ kind: "run", statement: bindStatement({ query }) });
        assert(reply.kind === "result", "a statement is answered with its result");
        return reply.result;
      },
      commit: async () => void (await writer.ask({ kind: "commit" })),
      // What cannot be rolled back now is rolled back before the next turn.
      rollback: async () => void (await writer.ask({ kind: "rollback" }).catch(() => undefined)),
    };
  }

  #requireRoom(): void {
    const { readRoom } = this.#parts;
    if (!hasRoom(readRoom)) throw new Problem("storage-full", { freeBytes: readRoom().freeBytes });
  }
}

/** An idle server looks for changes and for work this often at most. */
const waitingReadsPerSecond = 8;
/** Removed in one commit: short enough that other writes do not wait for it. */
const trimmedRows = 2_000;
/** Given back to the file system after a trim; the rest stays free for new rows. */
const trimmedPages = 4_096;

function hasRoom(readRoom: ReadRoom): boolean {
  const { bytes, freeBytes } = readRoom();
  return freeBytes >= bytes * limits.diskFreeShareMin;
}
