import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ConfigFileAuthenticationDetailsProvider } from "oci-common";
import { FunctionsInvokeClient, FunctionsManagementClient } from "oci-functions";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chayaBin, repository, type ServerProcess, startServerProcess } from "./server-process.ts";

const run = promisify(execFile);

describe.each(["none", "required"])("Oracle's SDK against a server with --auth %s", (auth) => {
  let server: ServerProcess;
  let folder: string;
  beforeAll(async () => {
    server = await startServerProcess({ arguments: ["--auth", auth] });
    folder = mkdtempSync(join(tmpdir(), "chaya-oci-"));
  }, 60_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const chaya = async (...words: readonly string[]) => {
    const env = { PATH: process.env.PATH, HOME: folder, CHAYA_URL: server.url, CHAYA_DATA: server.data };
    return (await run(process.execPath, [chayaBin, ...words], { env, cwd: folder })).stdout;
  };
  const signer = (file: string) => new ConfigFileAuthenticationDetailsProvider(file, "CHAYA");

  it("is recognised by the profile that chaya setup oci makes, and makes, shows and calls a function", async () => {
    const file = join(folder, "oci.conf");
    expect(await chaya("setup", "oci", "--file", file)).toContain(`client.endpoint = "${server.url}"`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "chaya-api-key.pem")).mode & 0o777).toBe(0o600);
    await chaya("init", "hello");
    await chaya("deploy", "hello", "--app", "made-by-cli");

    const authenticationDetailsProvider = signer(file);
    const compartmentId = authenticationDetailsProvider.getTenantId();
    const functions = new FunctionsManagementClient({ authenticationDetailsProvider });
    functions.endpoint = server.url;
    const [cli] = (await functions.listApplications({ compartmentId })).items;
    expect(cli?.displayName).toBe("made-by-cli");
    const [deployed] = (await functions.listFunctions({ applicationId: cli?.id ?? "" })).items;
    const { application } = await functions.createApplication({
      createApplicationDetails: { compartmentId, displayName: "made-by-sdk", subnetIds: ["ocid1.subnet.oc1..a"] },
    });
    const details = { applicationId: application.id, displayName: "hello", image: deployed?.image ?? "" };
    const made = await functions.createFunction({ createFunctionDetails: { ...details, memoryInMBs: 128 } });
    expect(await chaya("functions", "list", "made-by-sdk")).toContain("hello");

    const invoke = new FunctionsInvokeClient({ authenticationDetailsProvider });
    invoke.endpoint = server.url;
    const answer = await invoke.invokeFunction({
      functionId: made.function.id,
      invokeFunctionBody: JSON.stringify({ name: "Ada" }),
    });
    // The SDK gives the body as a stream of the web.
    expect(await new Response(answer.value as ReadableStream).text()).toContain("Ada");
  }, 60_000);

  it("runs the script of the guide as it stands there", async () => {
    const file = join(folder, "guide.conf");
    await chaya("setup", "oci", "--file", file, "--user", "guide");
    const [{ id }] = JSON.parse(await chaya("apps", "list", "--json"));
    const [{ image }] = JSON.parse(await chaya("functions", "list", id, "--json"));
    const script = join(repository, "docs/guides/oci-functions.mjs");
    const { stdout } = await run(process.execPath, [script, file, "CHAYA", server.url, image]);
    // The SDK says before it on standard output that the file has no profile DEFAULT.
    expect(stdout.endsWith('{"message":"Hello Oracle"}\n'), stdout).toBe(true);
  }, 60_000);

  it("is no reason to let anybody else in", async () => {
    const unsigned = async (path: string) => (await fetch(server.url + path)).status;
    const paths = ["/v2/apps", "/chaya/v1/calls", "/20160918/regions", "/metrics"];
    const expected = auth === "required" ? 401 : 200;
    expect(await Promise.all(paths.map(unsigned))).toEqual(paths.map(() => expected));
    const wrong = { headers: { authorization: "Bearer chaya_wrong" } };
    const wrongly = async (path: string) => (await fetch(server.url + path, wrong)).status;
    expect(await Promise.all(paths.map(wrongly))).toEqual(paths.map(() => 401));
    expect(await Promise.all(["/healthz", "/readyz", "/version"].map(unsigned))).toEqual([200, 200, 200]);
  });

  it("has company: a script of bash and openssl is recognised too", async () => {
    const file = join(folder, "script.conf");
    await chaya("setup", "oci", "--file", file, "--user", "script");
    const script = join(repository, "docs/guides/oci-call.sh");
    const call = async (...words: readonly string[]) => (await run(script, [file, "CHAYA", ...words])).stdout;
    const tenancy = signer(file).getTenantId();
    const compartment = `compartmentId=${encodeURIComponent(tenancy)}`;
    const applications = await call(
      "GET",
      `${server.url}/20181201/applications?${compartment}&displayName=made-by-sdk`,
    );
    const [application] = JSON.parse(applications);
    const [fn] = JSON.parse(await call("GET", `${server.url}/20181201/functions?applicationId=${application.id}`));
    const body = join(folder, "body.json");
    writeFileSync(body, '{"name":"Grace"}');
    const invoke = `${server.url}/20181201/functions/${fn.id}/actions/invoke`;
    expect(await call("POST", invoke, body)).toContain("Grace");
    const altered = join(folder, "altered.conf");
    writeFileSync(altered, readFileSync(file, "utf8").replace(/fingerprint=../, "fingerprint=00"));
    const refused = run(script, [altered, "CHAYA", "POST", invoke, body]);
    await expect(refused).rejects.toMatchObject({ stdout: expect.stringContaining("NotAuthenticated") });
  }, 60_000);

  it("is not recognised with a key that was replaced", async () => {
    const file = join(folder, "twice.conf");
    await chaya("setup", "oci", "--file", file, "--user", "twice");
    const before = signer(file);
    await chaya("setup", "oci", "--file", file, "--user", "twice");
    expect(readFileSync(file, "utf8").match(/\[CHAYA\]/g)).toHaveLength(1);
    const list = async (authenticationDetailsProvider: ConfigFileAuthenticationDetailsProvider) => {
      const client = new FunctionsManagementClient({ authenticationDetailsProvider });
      client.endpoint = server.url;
      return client.listApplications({ compartmentId: before.getTenantId() });
    };
    await expect(list(before)).rejects.toMatchObject({ statusCode: 401, serviceCode: "NotAuthenticated" });
    expect((await list(signer(file))).items.length).toBeGreaterThan(0);
  }, 60_000);
});
