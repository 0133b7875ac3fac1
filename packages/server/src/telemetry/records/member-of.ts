import { assert } from "../../kernel/assert.ts";

/** A word read from a row as one of the words that are written there. */
export function memberOf<Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((candidate) => candidate === text);
  assert(word !== undefined, `${text} is none of: ${words.join(", ")}`);
  return word;
}
