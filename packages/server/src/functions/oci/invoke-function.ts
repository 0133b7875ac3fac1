// Hot path: ARCHITECTURE, hot-path rules
import { limits, Problem } from "@chaya/contract";
import { noBody, sendAnswer } from "../../http/answer.ts";
import type { Exchange, ServeExchange } from "../../http/exchange.ts";
import { discardBody } from "../../http/fail-exchange.ts";
import { opcRequestId } from "../../http/opc-headers.ts";
import { readSignedBody } from "../../http/signed-body.ts";
import { ociAnswer } from "../call/answer-headers.ts";
import { checkMayInvoke, type InvokeDoorDeps, type InvokeTarget, invoke, invokedFunction } from "../invoke.ts";
import { functionIdOf } from "./border.ts";

const before = "/20181201/functions/";
const behind = "/actions/invoke";

/**
 * OCI's `invokeFunction`: the call of `POST /invoke/{fnId}` with an OCID, a smaller body and OCI's answers; nobody in
 * particular may call nothing. A dry run ends where the call would begin.
 */
export function createOciInvokeDoor(deps: InvokeDoorDeps): ServeExchange {
  return (exchange) => {
    const { request, path, requestId, bodySha256 } = exchange;
    const functionId = functionIdOf(path.slice(before.length, -behind.length));
    checkMayInvoke(deps, exchange, functionId);
    const target = {
      ...invokedFunction(deps, functionId),
      addedHeaders: ["opc-request-id", opcRequestId(request.headers, requestId)],
      mapAnswer: ociAnswer,
      dialect: "oci",
    } as const;
    checkAnnouncedLength(exchange);
    // A length that nobody announced is known when the body has been read.
    const isReadFirst = bodySha256 !== undefined || request.headers["transfer-encoding"] !== undefined;
    return isReadFirst ? invokeRead(deps, exchange, target) : invokeOrTry(deps, exchange, target);
  };
}

async function invokeRead(deps: InvokeDoorDeps, exchange: Exchange, target: InvokeTarget): Promise<void> {
  const body = await readSignedBody(exchange, limits.ociInvokeBodyBytesMax);
  await invokeOrTry(deps, exchange, { ...target, body });
}

function invokeOrTry(deps: InvokeDoorDeps, exchange: Exchange, target: InvokeTarget): void | Promise<void> {
  const { request, response } = exchange;
  if (request.headers["is-dry-run"] !== "true") return invoke(deps, exchange, target);
  sendAnswer(response, { status: 200, headers: [...target.addedHeaders], body: noBody });
  discardBody(request, limits.refusedBodyBytesMax);
}

function checkAnnouncedLength({ request }: Exchange): void {
  const bytesMax = limits.ociInvokeBodyBytesMax;
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw new Problem("body-too-large", { bytesMax });
}
