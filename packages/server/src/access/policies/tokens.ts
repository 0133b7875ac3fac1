import type { ProblemFields } from "@chaya/contract";

/** A piece of a text of the policy language. */
export interface Token {
  /** quoted: `'…'` · pattern: `/…/` · mark: any other character, and `!=` · end: after the last one. */
  readonly kind: "word" | "quoted" | "pattern" | "mark" | "end";
  /** Without the quotes or slashes around it. */
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

/** A text of the policy language with what to say when it is refused. */
export interface Source {
  /** As in `Statement 2`. */
  readonly name: string;
  readonly text: string;
  readonly charactersMax: number;
  readonly problem: (refusal: ProblemFields<"policy-invalid">) => Error;
}

/** Where the parser stands; moved on by `take` and its kin. */
export interface Cursor {
  readonly source: Source;
  readonly tokens: readonly Token[];
  position: number;
}

export interface Refusal {
  readonly reason: string;
  readonly hint: string;
}

/** Throws the problem of `source` for what is wrong at `token`. */
export function refuse({ source }: Pick<Cursor, "source">, token: Pick<Token, "column">, refusal: Refusal): never {
  throw source.problem({ where: `${source.name}, column ${token.column}`, ...refusal });
}

// Whatever letters there are in names; OCIDs and variables are words as well.
const word = /[\p{L}\p{M}\p{N}_.@+-]+/uy;
const space = /[ \t\r\n]+/y;
const quoted = /'([^']*)'/y;
const mark = /!=|[\s\S]/uy;

/** Reads the pieces of a text, in time linear in its length. */
export function readTokens(source: Source): Cursor {
  const { text, charactersMax } = source;
  const tokens: Token[] = [];
  const cursor = { source, tokens, position: 0 };
  if (text.length > charactersMax)
    refuse(
      cursor,
      { column: charactersMax + 1 },
      { ...tooLong, reason: `it is longer than ${charactersMax} characters` },
    );
  let at = textFrom(space, text, 0)?.length ?? 0;
  while (at < text.length) {
    const token = readToken(cursor, at);
    tokens.push(token);
    at += token.text.length + (token.kind === "quoted" || token.kind === "pattern" ? 2 : 0);
    at += textFrom(space, text, at)?.length ?? 0;
  }
  return cursor;
}

const tooLong = { hint: "Split it into several that grant the same together." };

function readToken({ source, tokens }: Cursor, at: number): Token {
  const { text } = source;
  const column = at + 1;
  const inWord = textFrom(word, text, at);
  if (inWord !== undefined) return { kind: "word", text: inWord, column };
  if (text[at] === "'") {
    const inQuotes = textFrom(quoted, text, at);
    if (inQuotes === undefined)
      refuse(
        { source },
        { column },
        { reason: "the quote ' is not closed", hint: "Write ' at the end of the text as well." },
      );
    return { kind: "quoted", text: inQuotes.slice(1, -1), column };
  }
  // After an operator a slash opens a pattern; in names it divides the identity domain from the name.
  if (text[at] === "/" && isOperator(tokens.at(-1))) return { kind: "pattern", text: readPattern(source, at), column };
  return { kind: "mark", text: textFrom(mark, text, at) ?? "", column };
}

export function isOperator(token: Token | undefined): boolean {
  return token?.kind === "mark" && (token.text === "=" || token.text === "!=");
}

/** A pattern may hold slashes: it ends with the first one after which the value cannot go on. */
function readPattern(source: Source, at: number): string {
  const { text } = source;
  for (let end = text.indexOf("/", at + 1); end !== -1; end = text.indexOf("/", end + 1)) {
    const next = text[end + 1];
    if (next === undefined || " \t\r\n,}".includes(next)) return text.slice(at + 1, end);
  }
  return refuse({ source }, { column: at + 1 }, { reason: "the pattern is not closed", hint: "Write it as /text*/." });
}

function textFrom(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

export function peek({ source, tokens, position }: Cursor): Token {
  return tokens[position] ?? { kind: "end", text: "", column: source.text.length + 1 };
}

export function take(cursor: Cursor): Token {
  const token = peek(cursor);
  cursor.position += 1;
  return token;
}

/** Takes the next token if it is this mark. */
export function takeMark(cursor: Cursor, text: string): boolean {
  if (!isMark(peek(cursor), text)) return false;
  cursor.position += 1;
  return true;
}

/** Takes the next token if it is this keyword. */
export function takeKeyword(cursor: Cursor, keyword: string): boolean {
  if (!isKeyword(peek(cursor), keyword)) return false;
  cursor.position += 1;
  return true;
}

export function isMark({ kind, text }: Token, mark: string): boolean {
  return kind === "mark" && text === mark;
}

/** Keywords are compared without regard to case; `keyword` is in lower case. */
export function isKeyword({ kind, text }: Token, keyword: string): boolean {
  return kind === "word" && text.toLowerCase() === keyword;
}

/** The token as a message shows it, on one line; letters outside of ASCII with their numbers, since twins look the same. */
export function shown({ kind, text }: Token): string {
  if (kind === "end") return "the end";
  const outside = [...new Set(text.slice(0, 80).match(/[^\x20-\x7e]/gu) ?? [])].slice(0, 4);
  const numbers = outside.map(
    (letter) => `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`,
  );
  const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  const clean = cut.replaceAll(/[\p{C}\p{Z}]/gu, (letter) => (letter === " " ? letter : "?"));
  return `'${clean}'${numbers.length === 0 ? "" : ` (${numbers.join(", ")})`}`;
}
