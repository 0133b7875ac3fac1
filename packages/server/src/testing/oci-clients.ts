import { generateKeyPairSync } from "node:crypto";
import { NoRetryConfigurationDetails, Region, SimpleAuthenticationDetailsProvider } from "oci-common";
import { FunctionsInvokeClient, FunctionsManagementClient } from "oci-functions";
import { vi } from "vitest";
import type { Authentication } from "../http/authenticate.ts";
import type { Principal } from "../http/principal.ts";

/** Oracle's own clients, without repetitions. */
export interface OciClients extends Disposable {
  readonly management: FunctionsManagementClient;
  readonly invocation: FunctionsInvokeClient;
}

/** For a server that does not look at who signed. */
export function ociClients(port: number): OciClients {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const ocid = (type: string) => `ocid1.${type}.oc1..aaaaaaaa`;
  const authenticationDetailsProvider = new SimpleAuthenticationDetailsProvider(
    ocid("tenancy"),
    ocid("user"),
    "aa:bb",
    privateKey,
    null,
    Region.US_ASHBURN_1,
  );
  const options = { retryConfiguration: NoRetryConfigurationDetails };
  const management = new FunctionsManagementClient({ authenticationDetailsProvider }, options);
  const invocation = new FunctionsInvokeClient({ authenticationDetailsProvider }, options);
  for (const client of [management, invocation]) client.endpoint = `http://127.0.0.1:${port}`;
  return {
    management,
    invocation,
    [Symbol.dispose]: () => {
      management.close();
      invocation.close();
    },
  };
}

/** Lets in every request that is signed, whoever signed it, as `principal`. */
export function anySignature(principal: Principal): Authentication {
  return {
    authenticate: ({ headers }) =>
      headers.authorization?.startsWith("Signature ") === true ? { principal } : undefined,
    isRequired: false,
  };
}

/** The SDK prints each refusal; until this is disposed it does not. */
export function silenceSdk(): Disposable {
  const warnings = vi.spyOn(console, "warn").mockReturnValue();
  return { [Symbol.dispose]: () => warnings.mockRestore() };
}
