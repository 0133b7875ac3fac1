import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isProblem } from "@chaya/contract";
import type { Authenticate, Presented } from "../http/authenticate.ts";

export interface CredentialJudge extends AsyncDisposable {
  readonly port: number;
}

/** A server that says of each request whose it is: `kind id digest`, or the code of the problem. */
export async function startCredentialJudge(
  authenticate: Authenticate,
  route: Presented["route"] = {},
): Promise<CredentialJudge> {
  const server = createServer((request, response) => {
    try {
      const admitted = authenticate(request, { route, peer: "192.0.2.7" });
      const { principal, bodySha256 = "unsigned" } = admitted ?? {};
      response.end(principal === undefined ? "none" : `${principal.kind} ${principal.name} ${bodySha256}`);
    } catch (error) {
      if (!isProblem(error)) throw error;
      response.end(error.code);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // A server that listens on TCP has an address of this form.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
