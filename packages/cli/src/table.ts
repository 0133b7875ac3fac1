import { textWidth, visibleText } from "./visible-text.ts";

/** Aligned columns under headings, one line a row; cells are made safe to show. Ends with a line break. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [headings, ...rows.map((row) => row.map(cellText))];
  const widths = headings.map((_heading, column) => Math.max(...lines.map((line) => textWidth(line[column] ?? ""))));
  const padded = lines.map((line) =>
    line
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${padded.join("\n")}\n`;
}

export type Cell = string | number | boolean | undefined;

/** Names and values beneath each other: one record. Absent values are left out. */
export function fields(record: Readonly<Record<string, Cell>>): string {
  const shown = Object.entries(record).filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => textWidth(visibleText(name))));
  return shown.map(([name, value]) => `${pad(visibleText(name), width)}  ${cellText(value)}\n`).join("");
}

function cellText(cell: Cell): string {
  return cell === undefined ? "-" : visibleText(String(cell));
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}
