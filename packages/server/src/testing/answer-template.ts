/**
 * Texts with `<name>` where a value stands that only the server knows. The first time a name is met in an answer its
 * value is captured: a time for names that begin with `at-`, an id for all others. Different names are different values.
 */
export class AnswerTemplate {
  readonly #values = new Map<string, string>();

  /** Replaces the names that are known. */
  fill(text: string): string {
    return text.replace(namePattern, (whole, name: string) => this.#values.get(name) ?? whole);
  }

  /** What `template` stands for, given the `answer`: equal to the answer when it fits. Captures what is new in it. */
  expected(template: string, answer: string): string {
    const filled = this.fill(template);
    const names: string[] = [];
    const pattern = filled
      .split(namePattern)
      .map((part, index) => (index % 2 === 0 ? literally(part) : this.#group(names, part)))
      .join("");
    const found = new RegExp(`^${pattern}$`, "s").exec(answer);
    for (const [index, name] of names.entries()) {
      const value = found?.[index + 1];
      if (value !== undefined && ![...this.#values.values()].includes(value)) this.#values.set(name, value);
    }
    return this.fill(template);
  }

  #group(names: string[], name: string): string {
    const known = names.indexOf(name);
    if (known !== -1) return `\\${known + 1}`;
    names.push(name);
    return name.startsWith("at-") ? String.raw`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)` : "([0-9A-HJKMNP-TV-Z]{26})";
  }
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

const namePattern = /<([a-z][a-z0-9-]*)>/g;
