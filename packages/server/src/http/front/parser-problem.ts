import { Problem } from "@chaya/contract";
import type { FrontLimits } from "../limits.ts";
import { headerTooLarge, malformed } from "./framing.ts";

/** What Node's parser reports with `clientError`. */
export interface ParserError extends Error {
  readonly code?: string;
  /** The parser's own words, such as "Duplicate Content-Length". */
  readonly reason?: string;
  /** The bytes it was reading. */
  readonly rawPacket?: Buffer;
}

/** What is wrong with a request that could not be read; undefined when nobody is there to be told. */
export function parserProblem(error: ParserError, limits: FrontLimits): Problem | undefined {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
    case "ETIMEDOUT":
      return undefined;
    case "HPE_HEADER_OVERFLOW":
      return isStillRequestLine(error.rawPacket)
        ? new Problem("request-target-too-long", { bytesMax: limits.requestLineBytesMax })
        : headerTooLarge(limits);
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return malformed("its chunk extensions are too long");
    default:
      return malformed(error.reason === undefined ? "it cannot be read" : lowerFirst(error.reason));
  }
}

/** Whether the parser stopped within the first line: the packet begins with a request and no line of it ended. */
function isStillRequestLine(packet: Buffer | undefined): boolean {
  return packet !== undefined && !packet.includes("\n") && /^[A-Z]+ /.test(packet.toString("latin1", 0, 32));
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
