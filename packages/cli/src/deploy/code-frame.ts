import type { Location } from "esbuild";

/** The line of source that is wrong, with its number and a mark below the place, as lines for a terminal. */
export function codeFrame({
  line,
  column,
  length,
  lineText,
}: Pick<Location, "line" | "column" | "length" | "lineText">) {
  const number = String(line);
  // Esbuild counts bytes.
  const bytes = Buffer.from(lineText);
  const before = bytes.subarray(0, column).toString();
  const marked = bytes.subarray(column, column + length).toString();
  // Tabs stay: they are as wide below as above.
  const indent = before.replaceAll(/[^\t]/g, " ");
  return [
    `${number} | ${lineText}`,
    `${" ".repeat(number.length)} | ${indent}${"^".repeat(Math.max(1, marked.length))}`,
  ];
}
