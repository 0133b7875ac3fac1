import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";

/**
 * A connection to the inspector of a function's instance, through the control door of its server. Waits until the
 * inspector is open; rejects when it will not be any more.
 */
export function connectInspector(inspectorUrl: string, credentials: Readonly<Record<string, string>>): Promise<Duplex> {
  const send = new URL(inspectorUrl).protocol === "https:" ? httpsRequest : httpRequest;
  const headers = { ...credentials, Connection: "Upgrade", Upgrade: "chaya-inspector" };
  const request = send(inspectorUrl, { headers, agent: false });
  return new Promise((resolve, reject) => {
    request.on("upgrade", (_answer, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.on("response", (answer: IncomingMessage) => {
      answer.resume();
      reject(new Error(`the server answered ${answer.statusCode} instead of a connection to the inspector`));
    });
    request.on("error", reject);
    request.end();
  });
}
