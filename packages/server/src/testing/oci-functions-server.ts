import { ocidOf } from "@chaya/contract/oci";
import { OciError } from "oci-common";
import { afterAll, beforeAll, expect } from "vitest";
import { administrator, type Principal } from "../http/principal.ts";
import { type FunctionRecordsServer, startFunctionRecordsServer } from "./function-records-server.ts";
import { anySignature, type OciClients, ociClients, silenceSdk } from "./oci-clients.ts";
import type { OpenTestStore, TestStore } from "./stores.ts";

export const rootId = "01JAAAAAAAAAAAAAAAAAAAAAAA";
export const branchId = "01JBBBBBBBBBBBBBBBBBBBBBBB";
/** In memory still, in the store no more. */
export const goneId = "01JDDDDDDDDDDDDDDDDDDDDDDD";
export const missingId = "01JCCCCCCCCCCCCCCCCCCCCCCC";
export const root = ocidOf("tenancy", rootId, "");
export const branch = ocidOf("compartment", branchId, "");

const user: Principal = { kind: "user", id: "U", name: "ada" };

export interface OciFunctionsServer {
  server(): FunctionRecordsServer;
  clients(): OciClients;
  /** From now on the clients may do everything in these compartments and nothing elsewhere. */
  allowOnly(...compartmentIds: readonly string[]): void;
}

/** The records of functions with a compartment below the root, and Oracle's clients, for the tests of a `describe`. */
export function serveOciFunctions(testStore: TestStore): OciFunctionsServer {
  let server: FunctionRecordsServer;
  let clients: OciClients;
  let allowed: readonly string[] = [];
  let warnings: Disposable;
  beforeAll(async () => {
    warnings = silenceSdk();
    const opened = await testStore.open();
    await addCompartment(opened.store);
    server = await startFunctionRecordsServer(opened, "https://fn.example.org/base", {
      compartmentId: rootId,
      hasCompartment: (id) => [rootId, branchId, goneId].includes(id),
      authentication: anySignature(user),
      authorize: (principal, _auth, place) =>
        principal.kind === administrator.kind || place === "anywhere" || allowed.includes(place.compartmentId),
    });
    clients = ociClients(server.port);
  });
  afterAll(async () => {
    warnings[Symbol.dispose]();
    clients[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });
  return {
    server: () => server,
    clients: () => clients,
    allowOnly: (...compartmentIds) => {
      allowed = compartmentIds;
    },
  };
}

/** The row that whatever is made in it holds. */
async function addCompartment(store: OpenTestStore["store"]): Promise<void> {
  const row = {
    ...{ id: branchId, compartment_id: rootId, name: "branch", description: "", tags: "{}", etag: "E", version: 1 },
    ...{ created_by: "A", cause_id: null, trace_id: null, created_at_ms: 0, updated_at_ms: 0 },
  };
  await store.transaction((tx) => tx.insertInto("compartments").values(row).execute());
}

/** What is missing and what may not be seen. */
export const hidden = {
  statusCode: 404,
  serviceCode: "NotAuthorizedOrNotFound",
  message: "Authorization failed or requested resource not found.",
};

/** The error that the SDK throws. */
export async function refused(request: () => Promise<unknown>): Promise<unknown> {
  try {
    await request();
  } catch (error) {
    expect(error).toBeInstanceOf(OciError);
    return error;
  }
  throw new Error("it was not refused");
}
