import type { Kysely } from "kysely";
import type { TelemetryTables } from "../../drivers/store/tables.ts";
import { idPrefixAt, idTimeMs } from "../../kernel/ids.ts";
import { secondCharacters } from "../call-batch.ts";

/** Ids between which to look. */
export interface IdRange {
  readonly from: string | undefined;
  /** Excluded. */
  readonly before: string | undefined;
}

/** The last that an id made in the same second as this one begins with. */
export function lastOfSecond(id: string): string {
  return `${id.slice(0, secondCharacters)}ZZ`;
}

export interface Places {
  /** Newest first. */
  readonly ranges: readonly IdRange[];
  /** What is older is before this id; undefined when that is all. */
  readonly rest: string | undefined;
}

/** Where calls of an application or function lie within a range: the newest seconds in which it was called. */
export async function secondsOf(db: Kysely<TelemetryTables>, ownerId: string, range: IdRange): Promise<Places> {
  let query = db.selectFrom("call_seconds").select("id").where("owner_id", "=", ownerId).orderBy("id", "desc");
  if (range.from !== undefined) query = query.where("id", ">=", lastOfSecond(range.from));
  if (range.before !== undefined) query = query.where("id", "<=", lastOfSecond(range.before));
  const seconds = await query.limit(secondsMax).execute();
  const runs = runsOf(seconds.map(({ id }) => id));
  const read = runs.slice(0, rangesMax);
  const last = seconds.length < secondsMax && read.length === runs.length ? undefined : read.at(-1);
  return { ranges: read.map((run) => rangeOf(run, range)), rest: last && firstOfSecond(last.oldest) };
}

/** Looked up at once, so that one that is called all the time is not looked up for each step. */
const secondsMax = 64;
/** All of them are read in one query, though the first may have enough rows. */
const rangesMax = 8;

/** Seconds that follow each other without a gap. */
interface Run {
  readonly newest: string;
  oldest: string;
}

function runsOf(seconds: readonly string[]): readonly Run[] {
  const runs: Run[] = [];
  for (const second of seconds) {
    const run = runs.at(-1);
    if (run !== undefined && idTimeMs(run.oldest) - idTimeMs(second) === secondMs) run.oldest = second;
    else runs.push({ newest: second, oldest: second });
  }
  return runs;
}

function rangeOf({ newest, oldest }: Run, within: IdRange): IdRange {
  const [from, before] = [firstOfSecond(oldest), idPrefixAt(idTimeMs(newest) + 1)];
  return {
    from: within.from !== undefined && within.from > from ? within.from : from,
    before: within.before !== undefined && within.before < before ? within.before : before,
  };
}

/** The first id there could be in that second. */
function firstOfSecond(second: string): string {
  return second.slice(0, secondCharacters).padEnd(idCharacters, "0");
}

const idCharacters = 26;
/** What `secondCharacters` leave of the 10 characters of an id's time. */
const secondMs = 1_024;
