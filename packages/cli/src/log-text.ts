import type { LogLineView } from "@chaya/contract/chaya";
import { visibleText } from "./visible-text.ts";

/** A log line for a terminal: time, function, where it was written, text. Ends with a line break. */
export function logText(line: LogLineView): string {
  const mark = line.stream === "stdout" ? " " : line.stream === "stderr" ? "!" : "*";
  // What the platform says about a call gives the command with its id to fill in.
  const said =
    line.stream === "platform" && line.callId !== undefined ? line.text.replaceAll("CALL_ID", line.callId) : line.text;
  // Only the platform's own lines have further ones below them: what it quotes.
  const lines = line.stream === "platform" ? said.split("\n") : [said];
  // A tab is the one control character that people indent with.
  const text = lines.map((one) => one.split("\t").map(visibleText).join("\t")).join("\n    ");
  return `${line.at} ${visibleText(`${line.application}/${line.function}`)} ${mark} ${text}\n`;
}
