import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Upgrade } from "../exchange.ts";
import { nodeHttp } from "../node-http.ts";
import type { Connection } from "./connections.ts";

/** What Node hands over when a request asks to change the protocol: it reads the connection no more. */
export interface Handover {
  readonly connection: Connection;
  readonly request: IncomingMessage;
  /** What came behind the head of the request. */
  readonly head: Buffer;
}

/** The answer that can still be given as HTTP; its connection ends with it, which `onAnswered` sees to. */
export function answerOf({ connection, request }: Handover, onAnswered: () => void): ServerResponse {
  const response = new nodeHttp.ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(connection.socket);
  response.once("finish", () => {
    response.detachSocket(connection.socket);
    onAnswered();
  });
  return response;
}

export function upgradeOf({ connection, request, head }: Handover, response: ServerResponse): Upgrade {
  const protocol = request.headers.upgrade ?? "";
  return {
    protocol,
    accept: () => {
      const { socket } = connection;
      response.detachSocket(socket);
      connection.isUpgraded = true;
      connection.response = undefined;
      return begin(socket, { protocol, head });
    },
  };
}

function begin(socket: Socket, { protocol, head }: { readonly protocol: string; readonly head: Buffer }): Socket {
  socket.setNoDelay(true);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}
