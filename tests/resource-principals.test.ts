import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuthenticationDetailsProvider, DefaultRequestSigner, type Method } from "oci-common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cliBundle } from "../bench/lib/cli-bundle.ts";
import { read, send } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { repository, type ServerProcess, startServerProcess } from "./server-process.ts";

/** Lists the applications it may see with the official SDK, as itself or with the credentials it is told. */
const lister = `
const { readFileSync } = require("node:fs");
const fdk = require("@fnproject/fdk");
const { ResourcePrincipalAuthenticationDetailsProvider } = require("oci-common");
const { FunctionsManagementClient } = require("oci-functions");
const { env } = process;
const own = ResourcePrincipalAuthenticationDetailsProvider.builder();
const told = ({ token, key }) => ({ getKeyId: async () => "ST$" + token, getPrivateKey: () => key, getPassphrase: () => null });
fdk.handle(async ({ as, reveal, plain }) => {
  const [token, key] = [env.OCI_RESOURCE_PRINCIPAL_RPST, env.OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM].map((path) => readFileSync(path, "utf8"));
  if (reveal) {
    console.log(key);
    console.log("a token:", token, "- and more");
    return { token, key };
  }
  const compartmentId = await own.getStringClaim("res_compartment");
  if (plain) {
    const { method, headers } = plain;
    const answer = await fetch(env.OCI_LOCAL_ENDPOINT + "/20181201/applications?compartmentId=" + compartmentId, { method, headers });
    return { status: answer.status, ...(await answer.json()) };
  }
  const client = new FunctionsManagementClient({ authenticationDetailsProvider: as ? told(as) : own });
  client.endpoint = env.OCI_LOCAL_ENDPOINT;
  try {
    const { items } = await client.listApplications({ compartmentId });
    return { names: items.map(({ displayName }) => displayName) };
  } catch ({ statusCode, serviceCode }) {
    return { statusCode, serviceCode };
  }
});
`;

interface Credential {
  readonly token: string;
  readonly key: string;
}

const refused = { statusCode: 404, serviceCode: "NotAuthorizedOrNotFound" };
const unauthenticated = { statusCode: 401, serviceCode: "NotAuthenticated" };

describe.each(["none", "bwrap"])("a function that asks as itself, with --sandbox %s", (sandbox) => {
  let server: ServerProcess;
  let image: string;
  let lists: string;
  let twin: string;
  beforeAll(async () => {
    server = await startServerProcess({ environment: { CHAYA_SANDBOX: sandbox } });
    image = await uploadLister(server.url);
    [lists, twin] = [await deploy("lists"), await deploy("twin")];
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose]());

  it("is refused until a policy allows it, and again when none does", async () => {
    expect(await ask(lists, {})).toEqual(refused);
    const { token } = await reveal(lists);
    const { res_tenant, res_id } = claimsOf(token);
    const group = await create("/20160918/dynamicGroups", {
      compartmentId: res_tenant,
      name: "listers",
      description: "The function alone.",
      matchingRule: `ALL {resource.type = 'fnfunc', resource.id = '${res_id}'}`,
    });
    expect(group.lifecycleState).toBe("ACTIVE");
    expect(await ask(lists, {})).toEqual(refused);
    const policy = await create("/20160918/policies", {
      compartmentId: res_tenant,
      name: "listers",
      description: "They may list applications.",
      statements: ["Allow dynamic-group listers to inspect fn-app in tenancy"],
    });
    expect(await ask(lists, {})).toEqual({ names: ["principals"] });
    expect(await ask(twin, {})).toEqual(refused);
    const { status } = await send(`${server.url}/20160918/policies/${policy.id}`, undefined, { method: "DELETE" });
    expect(status).toBe(204);
    expect(await ask(lists, {})).toEqual(refused);
  });

  it("is nobody without a signature, and cannot pose as another function or as a user", async () => {
    expect(await ask(lists, { plain: { method: "GET" } })).toMatchObject({
      status: 404,
      code: "NotAuthorizedOrNotFound",
    });
    const bearer = { method: "GET", headers: { authorization: "Bearer chaya_token" } };
    expect(await ask(lists, { plain: bearer })).toMatchObject({ status: 401, code: "NotAuthenticated" });
    expect(await ask(twin, { as: await reveal(lists) })).toEqual(unauthenticated);
    const { token } = await reveal(lists);
    const { key } = await reveal(twin);
    expect(await ask(lists, { as: { token, key } })).toEqual(unauthenticated);
  });

  it("has the same key in all of its instances, and another than other functions", async () => {
    const [first, other] = [await reveal(lists), await reveal(twin)];
    const { status } = await send(`${server.url}/v2/fns/${lists}`, { config: { NEW: "instance" } }, { method: "PUT" });
    expect(status).toBe(200);
    expect((await reveal(lists)).key).toBe(first.key);
    expect(other.key).not.toBe(first.key);
  });

  it("cannot be configured to be another", async () => {
    const { token, key } = await reveal(lists);
    const config = {
      OCI_RESOURCE_PRINCIPAL_RPST: token,
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: key,
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE: "wrong",
      OCI_RESOURCE_PRINCIPAL_VERSION: "1.1",
    };
    const poser = await deploy("poser", config);
    expect(claimsOf((await reveal(poser)).token).res_id).not.toBe(claimsOf(token).res_id);
    expect(await ask(poser, {})).toEqual(refused);
  });

  it("is who it is on the main port too, and nobody any more once it is deleted", async () => {
    const gone = await deploy("gone");
    const credential = await reveal(gone);
    const { res_tenant } = claimsOf(credential.token);
    const url = `${server.url}/20181201/applications?compartmentId=${res_tenant}`;
    expect(await asked(url, credential)).toEqual([404, "NotAuthorizedOrNotFound"]);
    await send(`${server.url}/v2/fns/${gone}`, undefined, { method: "DELETE" });
    expect(await asked(url, credential)).toEqual([401, "NotAuthenticated"]);
  });

  it("finds neither its key nor its token in its log", async () => {
    const { token, key } = await reveal(twin);
    const { items } = await read<{ items: { text: string }[] }>(`${server.url}/chaya/v1/logs?fn=${twin}`);
    const text = items.map((line) => line.text).join("\n");
    expect(text).toContain("a token: [secret] - and more");
    expect(text).not.toContain(token.slice(-40));
    for (const line of key.trim().split("\n")) expect(text).not.toContain(line);
  });

  async function deploy(name: string, config: Readonly<Record<string, string>> = {}): Promise<string> {
    return deployCode(server.url, { app: "principals", name, image, config, memory: 256 });
  }

  async function ask(functionId: string, input: object): Promise<unknown> {
    const { status, text } = await send(`${server.url}/invoke/${functionId}`, input);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  }

  async function reveal(functionId: string): Promise<Credential> {
    // The function answers with exactly this.
    return (await ask(functionId, { reveal: true })) as Credential;
  }

  async function create(path: string, body: object): Promise<{ readonly id: string; readonly lifecycleState: string }> {
    const { status, text } = await send(`${server.url}${path}`, body);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  }
});

/** Asks from outside with a function's credential. */
async function asked(url: string, { token, key }: Credential): Promise<readonly [number, string]> {
  const provider: AuthenticationDetailsProvider = {
    getKeyId: async () => `ST$${token}`,
    getPrivateKey: () => key,
    getPassphrase: () => null,
  };
  const method: Method = "GET";
  const headers = new Headers();
  await new DefaultRequestSigner(provider).signHttpRequest({ uri: url, method, headers });
  const answer = await fetch(url, { headers });
  // OCI's form of an error.
  const { code } = (await answer.json()) as { readonly code: string };
  return [answer.status, code];
}

function claimsOf(token: string): Readonly<Record<"res_tenant" | "res_id", string>> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

/** Packed as `chaya deploy` does: the SDK travels as packages beside the bundled script. */
async function uploadLister(url: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "chaya-lister-"));
  try {
    writeFileSync(
      join(folder, "func.yaml"),
      "schema_version: 20180708\nname: lists\nruntime: node\nentrypoint: node func.js\n",
    );
    writeFileSync(join(folder, "func.js"), lister);
    symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
    const { status, text } = await send(`${url}/chaya/v1/bundles?app=principals&fn=lists`, await cliBundle(folder));
    expect(status, text).toBe(200);
    return JSON.parse(text).image;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
