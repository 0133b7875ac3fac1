// Fills the data directory of a stopped server: as if it had been used for a long time.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createIds } from "../../packages/server/src/kernel/ids.ts";
import { systemRandom } from "../../packages/server/src/kernel/random.ts";
import { lastOfSecond } from "../../packages/server/src/telemetry/records/call-seconds.ts";
import { startChaya } from "./tools.ts";

export interface Seeded {
  readonly data: string;
  readonly applicationId: string;
}

/** Makes a data directory with one application, so many functions, and so many calls spread over the last two hours. */
export async function seedData(counts: { readonly functions: number; readonly calls: number }): Promise<Seeded> {
  const chaya = await startChaya();
  const { id: applicationId } = await create(chaya.url);
  await chaya.stop();
  seedFunctions(join(chaya.data, "main.db"), applicationId, counts.functions);
  seedCalls(join(chaya.data, "telemetry.db"), applicationId, counts.calls);
  return { data: chaya.data, applicationId };
}

async function create(url: string): Promise<{ id: string }> {
  const answer = await fetch(`${url}/v2/apps`, { method: "POST", body: '{"name":"seeded"}' });
  // Fn's application.
  return (await answer.json()) as { id: string };
}

function seedFunctions(file: string, applicationId: string, count: number): void {
  const database = new DatabaseSync(file);
  const newId = createIds({ nowMs: () => Date.now() }, systemRandom());
  const insert = database.prepare(
    `insert into functions (id, compartment_id, tags, etag, version, created_by, created_at_ms, updated_at_ms,
       application_id, name, image, memory_mib, timeout_s, idle_timeout_s, config, annotations, shape)
     values (?, 'root', '{}', '1', 1, 'administrator', ?, ?, ?, ?, ?, 128, 30, 30, '{"GREETING":"Hello"}', '{}', '')`,
  );
  database.exec("begin");
  for (let index = 0; index < count; index++) {
    const nowMs = Date.now();
    insert.run(newId(), nowMs, nowMs, applicationId, `function-${index}`, `example/function-${index}:1`);
  }
  database.exec("commit");
  database.close();
}

function seedCalls(file: string, applicationId: string, count: number): void {
  const database = new DatabaseSync(file);
  const startMs = Date.now() - 7_200_000;
  let nowMs = startMs;
  const newId = createIds({ nowMs: () => nowMs }, systemRandom());
  const functions = Math.min(10_000, count);
  const insertFunction = database.prepare(
    `insert into called_functions (id, application_id, application_name, function_id, function_name, image, memory_mib)
     values (?, ?, 'seeded', ?, ?, 'example/function:1', 128)`,
  );
  const insertSecond = database.prepare("insert or ignore into call_seconds (owner_id, id) values (?, ?)");
  const insert = database.prepare(
    `insert into calls (id, called_id, source, status, attempt, accepted_at_ms, started_at_ms, finished_at_ms,
       http_status, wait_us, run_us, is_cold_start, request_bytes, response_bytes)
     values (?, ?, 'direct', 'succeeded', 1, ?, ?, ?, 200, 40, 1200, 0, 100, 20)`,
  );
  database.exec("begin");
  const called = Array.from({ length: functions }, (_, index) => {
    const [id, name] = [newId(), `function-${index}`];
    insertFunction.run(id, applicationId, name, name);
    return { id, name };
  });
  for (let index = 0; index < count; index++) {
    nowMs = startMs + Math.floor((index * 7_200_000) / count);
    const fn = called[index % functions];
    if (fn === undefined) throw new Error("every call is one of a function");
    const id = newId();
    insert.run(id, fn.id, nowMs, nowMs, nowMs + 1);
    for (const owner of [applicationId, fn.name]) insertSecond.run(owner, lastOfSecond(id));
  }
  database.exec("commit");
  database.close();
}
