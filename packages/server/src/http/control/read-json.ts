export interface JsonRules {
  readonly depthMax: number;
  /** Fn's server decodes the first value of the body and looks no further. */
  readonly mayTrail: boolean;
  /** In Fn's bodies the last of several members of one name wins. */
  readonly mayRepeatKeys: boolean;
}

/** Why a text is not acceptable; said to the caller. */
export class JsonRefusal extends Error {
  override readonly name = "JsonRefusal";
}

/**
 * Parses one JSON value (RFC 8259) and refuses what parsers disagree about or what harms later: nesting beyond
 * `depthMax`, lone surrogates, numbers beyond a double, `__proto__` and `constructor.prototype` keys. Written by hand
 * because JSON.parse shows neither repeated keys nor where the value ends. Throws `JsonRefusal` and nothing else.
 */
export function readJson(text: string, rules: JsonRules): unknown {
  const reader = new Reader(text, rules);
  const value = reader.value(0);
  reader.end();
  return value;
}

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Reader {
  readonly #text: string;
  readonly #rules: JsonRules;
  #at = 0;

  constructor(text: string, rules: JsonRules) {
    this.#text = text;
    this.#rules = rules;
  }

  value(depth: number): unknown {
    if (depth > this.#rules.depthMax) throw new JsonRefusal(`it is nested deeper than ${this.#rules.depthMax} levels`);
    switch (this.#peek()) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      case "":
        throw new JsonRefusal(this.#text.trim() === "" ? "it is empty" : "it ends too early");
      default:
        return this.#number();
    }
  }

  end(): void {
    if (!this.#rules.mayTrail && this.#peek() !== "") throw this.#unexpected();
  }

  #object(depth: number): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    this.#at++;
    if (this.#takes("}")) return members;
    do {
      if (this.#peek() !== '"') throw this.#unexpected();
      const key = this.#string();
      if (!this.#takes(":")) throw this.#unexpected();
      const value = this.value(depth + 1);
      this.#makeRoom(members, key, value);
      members[key] = value;
    } while (this.#takes(","));
    if (!this.#takes("}")) throw this.#unexpected();
    return members;
  }

  #makeRoom(members: Record<string, unknown>, key: string, value: unknown): void {
    if (key === "__proto__") throw new JsonRefusal("the key __proto__ is not allowed");
    if (key === "constructor" && typeof value === "object" && value !== null && Object.hasOwn(value, "prototype"))
      throw new JsonRefusal("the keys constructor.prototype are not allowed");
    if (!Object.hasOwn(members, key)) return;
    if (!this.#rules.mayRepeatKeys) throw new JsonRefusal(`the key ${JSON.stringify(key)} is there twice`);
    // The last one stands where it was written, so that whoever folds the case of names sees it last.
    delete members[key];
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    if (this.#takes("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.#takes(","));
    if (!this.#takes("]")) throw this.#unexpected();
    return items;
  }

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (end !== -1 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    if (end === -1) throw new JsonRefusal("a string does not end");
    this.#at = end + 1;
    const value = parsedString(this.#text.slice(start, end + 1));
    if (!value.isWellFormed()) throw new JsonRefusal("a string has a lone surrogate");
    return value;
  }

  /** An odd number of backslashes stands before it. The opening quote ends the count. */
  #isEscaped(position: number): boolean {
    let first = position;
    while (this.#text[first - 1] === "\\") first--;
    return (position - first) % 2 === 1;
  }

  #number(): number {
    numberPattern.lastIndex = this.#at;
    const match = numberPattern.exec(this.#text);
    if (match === null) throw this.#unexpected();
    this.#at = numberPattern.lastIndex;
    const value = Number(match[0]);
    if (!Number.isFinite(value)) throw new JsonRefusal("a number is too large");
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #takes(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  /** The next character that is not white space; empty at the end. */
  #peek(): string {
    for (;;) {
      const character = this.#text[this.#at] ?? "";
      if (character !== " " && character !== "\n" && character !== "\r" && character !== "\t") return character;
      this.#at++;
    }
  }

  #unexpected(): JsonRefusal {
    const character = this.#peek();
    return new JsonRefusal(
      character === "" ? "it ends too early" : `unexpected ${JSON.stringify(character)} at position ${this.#at}`,
    );
  }
}

function parsedString(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch (error) {
    throw new JsonRefusal("a string has a control character or an unknown escape", { cause: error });
  }
}
