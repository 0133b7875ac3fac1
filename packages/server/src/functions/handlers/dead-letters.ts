import { Problem } from "@chaya/contract";
import { chayaRoutes, type DeadLetterView } from "@chaya/contract/chaya";
import type { PayloadDriver } from "../../drivers/payload/driver.ts";
import type { Place } from "../../http/authorize.ts";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { isId } from "../../kernel/ids.ts";
import type { Places } from "../../seams.ts";
import type { DeadLetter, DeadLetters } from "../../work/work.ts";
import type { OpenDirectory } from "../directory.ts";

export interface DeadLetterDeps {
  readonly deadLetters: DeadLetters;
  readonly directory: OpenDirectory;
  readonly payloads: Pick<PayloadDriver, "stat">;
  readonly places: Places;
}

const kind = "call";

/** Calls that will not be tried again: the lane of each is its function. */
export function deadLetterRoutes(deps: DeadLetterDeps): readonly ControlRoute[] {
  return [
    control(
      chayaRoutes.listDeadLetters,
      ({ query }) => deps.places.filter(query),
      async ({ query, may }) => {
        const { cursor, limit: countMax } = query;
        if (cursor !== undefined && !isId(cursor)) throw new Problem("cursor-invalid");
        const lanes = lanesOf(deps.directory, query);
        if (lanes?.length === 0) return { result: { items: [] } };
        const letters = await deps.deadLetters.list({
          kind,
          ...(lanes && { lanes }),
          ...(cursor && { cursor }),
          countMax,
        });
        const seen = letters.filter(({ lane }) => may(deps.places.function(lane)));
        const items = await Promise.all(seen.map((letter) => viewDeadLetter(deps, letter)));
        const last = letters.length === countMax ? letters.at(-1) : undefined;
        return { result: { items, ...(last && { nextCursor: last.id }) } };
      },
    ),
    control(
      chayaRoutes.getDeadLetter,
      ({ params }) => letterPlace(deps, params.callId),
      async ({ params }) => {
        return { result: await viewDeadLetter(deps, await deadLetter(deps, params.callId)) };
      },
    ),
    control(
      chayaRoutes.redriveDeadLetter,
      ({ params }) => letterPlace(deps, params.callId),
      async ({ params }) => {
        const { id, lane } = await deadLetter(deps, params.callId);
        if (deps.directory.function(lane) === undefined) throw new Problem("function-not-found", { function: lane });
        if (!(await deps.deadLetters.redrive(id))) throw new Problem("dead-letter-not-found", { call: id });
        return {};
      },
    ),
    control(
      chayaRoutes.deleteDeadLetter,
      ({ params }) => letterPlace(deps, params.callId),
      async ({ params }) => {
        const { id } = await deadLetter(deps, params.callId);
        if (!(await deps.deadLetters.remove(id))) throw new Problem("dead-letter-not-found", { call: id });
        return {};
      },
    ),
  ];
}

async function letterPlace(deps: DeadLetterDeps, id: string): Promise<Place> {
  const letter = isId(id) ? await deps.deadLetters.get(id) : undefined;
  return letter?.kind === kind ? deps.places.function(letter.lane) : deps.places.root;
}

async function deadLetter(deps: DeadLetterDeps, id: string): Promise<DeadLetter> {
  const letter = isId(id) ? await deps.deadLetters.get(id) : undefined;
  if (letter?.kind !== kind) throw new Problem("dead-letter-not-found", { call: id });
  return letter;
}

/** The functions that a list is about; undefined: all. */
function lanesOf(
  directory: OpenDirectory,
  { app, fn }: { readonly app?: string | undefined; readonly fn?: string | undefined },
): readonly string[] | undefined {
  const application = app === undefined ? undefined : directory.resolve.application(app);
  if (app !== undefined && application === undefined) throw new Problem("application-not-found", { application: app });
  if (fn !== undefined) {
    const found = directory.resolve.function(fn, application?.id);
    if (found === undefined) throw new Problem("function-not-found", { function: fn });
    return [found.id];
  }
  if (application === undefined) return undefined;
  return [...directory.functions()].filter((record) => record.applicationId === application.id).map(({ id }) => id);
}

async function viewDeadLetter(deps: DeadLetterDeps, letter: DeadLetter): Promise<DeadLetterView> {
  const record = deps.directory.function(letter.lane);
  const application = record && deps.directory.application(record.applicationId);
  return {
    id: letter.id,
    kind: letter.kind,
    ...(application && { application: application.name }),
    ...(record && { function: record.name }),
    attempts: letter.attempt,
    acceptedAt: new Date(letter.acceptedAtMs).toISOString(),
    diedAt: new Date(letter.diedAtMs).toISOString(),
    problem: letter.problem,
    bodyBytes: await bodyBytes(deps, letter),
  };
}

async function bodyBytes(deps: DeadLetterDeps, { payload, payloadId }: DeadLetter): Promise<number> {
  return payloadId === undefined ? (payload?.byteLength ?? 0) : (await deps.payloads.stat(payloadId)).bytes;
}
