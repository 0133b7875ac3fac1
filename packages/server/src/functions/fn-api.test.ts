import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AnswerTemplate } from "../testing/answer-template.ts";
import { type FunctionRecordsServer, startFunctionRecordsServer } from "../testing/function-records-server.ts";
import { type TestStore, testStores } from "../testing/stores.ts";
import { type ApiCase, publicUrl } from "./fixtures/api-case.ts";
import { createApplicationCases, readApplicationCases, updateApplicationCases } from "./fixtures/application-cases.ts";
import { cliCommands } from "./fixtures/cli-commands.ts";
import { createFunctionCases, readFunctionCases, updateFunctionCases } from "./fixtures/function-cases.ts";
import { createTriggerCases, deleteCases, readTriggerCases, updateTriggerCases } from "./fixtures/trigger-cases.ts";

const sections: Readonly<Record<string, readonly ApiCase[]>> = {
  "creating applications": createApplicationCases,
  "reading applications": readApplicationCases,
  "updating applications": updateApplicationCases,
  "creating functions": createFunctionCases,
  "reading functions": readFunctionCases,
  "updating functions": updateFunctionCases,
  "creating triggers": createTriggerCases,
  "reading triggers": readTriggerCases,
  "updating triggers": updateTriggerCases,
  deleting: deleteCases,
};

for (const testStore of testStores()) {
  describe(`the Fn API on ${testStore.kind}`, () => {
    const server = served(testStore);
    const template = new AnswerTemplate();
    for (const [section, cases] of Object.entries(sections))
      describe(section, () => {
        // In order: each case finds what those before it left.
        for (const one of cases) it(one.says, () => play(server.current(), template, one));
      });
  });

  describe(`the fn CLI's requests on ${testStore.kind}`, () => {
    const server = served(testStore);
    const template = new AnswerTemplate();
    for (const { command, requests } of cliCommands)
      it(command, async () => {
        for (const one of requests) await play(server.current(), template, one);
      });
  });
}

function served(testStore: TestStore): { current(): FunctionRecordsServer } {
  let server: FunctionRecordsServer | undefined;
  beforeAll(async () => {
    server = await startFunctionRecordsServer(await testStore.open(), publicUrl);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  return {
    current() {
      if (server === undefined) throw new Error("the server did not start");
      return server;
    },
  };
}

async function play(server: FunctionRecordsServer, template: AnswerTemplate, one: ApiCase): Promise<void> {
  // Every request has a time of its own, so that a time in an answer says which request set it.
  await server.clock.advance(7);
  const [method = "", path = ""] = template.fill(one.send).split(" ");
  const body = one.body === undefined ? undefined : template.fill(one.body);
  const told = await server.ask({ method, path, body, headers: one.headers ?? {} });
  expect(told.text).toBe(template.expected(one.answer, told.text));
  expect(told.status).toBe(one.status ?? 200);
  expect(told.headers["content-type"]).toBe(contentTypeOf(told.status));
}

function contentTypeOf(status: number): string | undefined {
  if (status === 410) return undefined;
  return status === 204 ? "text/plain; charset=utf-8" : "application/json; charset=utf-8";
}
