import pg from "pg";
import { idPrefixAt } from "../../../kernel/ids.ts";

const dayMs = 86_400_000;
/** Rows of days without a partition go to the default one; so many days ahead never need it. */
const daysAhead = 3;

interface Partition {
  readonly name: string;
  readonly startMs: number;
}

export interface PartitionedTable {
  readonly schema: string;
  readonly table: string;
}

/** The tables of a schema that are partitioned; each has ranges of `id` that are days, and a default partition. */
export async function partitionedTables(client: pg.ClientBase, schema: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'p' and relnamespace = $1::regnamespace order by relname",
    [schema],
  );
  return rows.map((row) => row.name);
}

/** Makes the partitions of today and the days to come. Nodes that do it at once wait for each other. */
export async function preparePartitions(client: pg.ClientBase, of: PartitionedTable, nowMs: number): Promise<void> {
  const existing = new Set((await partitions(client, of)).map((partition) => partition.startMs));
  const todayMs = Math.floor(nowMs / dayMs) * dayMs;
  for (let day = 0; day <= daysAhead; day++) {
    const startMs = todayMs + day * dayMs;
    if (!existing.has(startMs)) await inTransaction(client, of, () => addPartition(client, of, startMs));
  }
}

/** Removes the days that ended before `beforeMs`, and what lies in the default partition from before. */
export async function dropPartitions(client: pg.ClientBase, of: PartitionedTable, beforeMs: number): Promise<void> {
  for (const partition of await partitions(client, of)) {
    if (partition.startMs + dayMs <= beforeMs)
      await inTransaction(client, of, () =>
        client.query(`drop table if exists ${pg.escapeIdentifier(partition.name)}`),
      );
  }
  const remaining = pg.escapeIdentifier(`${of.table}_default`);
  await client.query(`delete from ${remaining} where id < $1`, [idPrefixAt(beforeMs)]);
}

async function partitions(client: pg.ClientBase, { schema, table }: PartitionedTable): Promise<readonly Partition[]> {
  const { rows } = await client.query<{ name: string }>(
    `select child.relname as name from pg_inherits join pg_class child on child.oid = inhrelid
       join pg_class parent on parent.oid = inhparent
       where parent.relnamespace = $1::regnamespace and parent.relname = $2`,
    [schema, table],
  );
  return rows.flatMap(({ name }) => {
    const day = new RegExp(`^${table}_(\\d{4})(\\d{2})(\\d{2})$`).exec(name);
    return day === null ? [] : [{ name, startMs: Date.UTC(Number(day[1]), Number(day[2]) - 1, Number(day[3])) }];
  });
}

/** Rows that came before their partition lie in the default one and move over. */
async function addPartition(client: pg.ClientBase, { table }: PartitionedTable, startMs: number): Promise<void> {
  const day = new Date(startMs).toISOString().slice(0, 10).replaceAll("-", "");
  const name = pg.escapeIdentifier(`${table}_${day}`);
  const [parent, remaining] = [pg.escapeIdentifier(table), pg.escapeIdentifier(`${table}_default`)];
  if ((await client.query("select to_regclass($1) as known", [name])).rows[0]?.known !== null) return;
  const [start, end] = [idPrefixAt(startMs), idPrefixAt(startMs + dayMs)];
  await client.query(`lock table ${remaining} in access exclusive mode`);
  await client.query(`create table ${name} (like ${parent} including defaults including constraints)`);
  await client.query(
    `with moved as (delete from ${remaining} where id >= $1 and id < $2 returning *) insert into ${name} select * from moved`,
    [start, end],
  );
  const range = `from (${pg.escapeLiteral(start)}) to (${pg.escapeLiteral(end)})`;
  await client.query(`alter table ${parent} attach partition ${name} for values ${range}`);
}

async function inTransaction(
  client: pg.ClientBase,
  { schema, table }: PartitionedTable,
  work: () => Promise<unknown>,
): Promise<void> {
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock(hashtext($1))", [`${schema}.${table}`]);
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}
