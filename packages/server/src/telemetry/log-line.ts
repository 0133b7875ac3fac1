import type { LogLineView } from "@chaya/contract/chaya";
import type { ResolveFunctions } from "../seams.ts";

/** A line as it is kept: redacted, at most as long as a line may be. */
export interface StoredLine {
  /** Increases in the order in which this node observed the lines. */
  readonly id: string;
  readonly atMs: number;
  readonly applicationId: string;
  readonly functionId: string;
  readonly callId: string | undefined;
  readonly stream: LogLineView["stream"];
  readonly text: Uint8Array;
}

/** A line that was just observed still knows the names of where it came from. */
export interface LogLine extends StoredLine {
  readonly applicationName: string;
  readonly functionName: string;
}

/** Lines that fit everything that is given. */
export interface LogFilter {
  readonly applicationId: string | undefined;
  readonly functionId: string | undefined;
  readonly callId: string | undefined;
}

/** A line as it is shown. What has been deleted since is shown by its id; bytes that are not UTF-8 become U+FFFD. */
export function lineView(line: StoredLine | LogLine, resolve: ResolveFunctions): LogLineView {
  const isNamed = "applicationName" in line;
  return {
    at: new Date(line.atMs).toISOString(),
    application: isNamed ? line.applicationName : (resolve.application(line.applicationId)?.name ?? line.applicationId),
    function: isNamed ? line.functionName : (resolve.function(line.functionId, undefined)?.name ?? line.functionId),
    callId: line.callId,
    stream: line.stream,
    text: Buffer.from(line.text.buffer, line.text.byteOffset, line.text.length).toString("utf8"),
  };
}
