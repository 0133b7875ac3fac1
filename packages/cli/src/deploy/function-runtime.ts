/** How functions of a language are built. */
export type Language = "javascript" | "python" | "go" | "java" | "ruby" | "rust" | "bash" | "any";

/** What `runtime:` in func.yaml says. */
export interface FunctionRuntime {
  readonly language: Language;
  /** As the bundle's manifest names it: a language without its version, or which Node it wants. */
  readonly name: string;
}

/** The names func.yaml may have, for people. */
export const runtimeNames = ["node", "typescript", "python", "go", "java", "ruby", "rust", "bash", "any"] as const;

/**
 * Understands the names of Fn's CLI (`python3.12`, `java17`), ours, and for JavaScript a certain Node: `node22` or the
 * path of one. Undefined for others.
 */
export function functionRuntime(text: string): FunctionRuntime | undefined {
  if (text === "nodejs" || text === "typescript") return { language: "javascript", name: "node" };
  if (/^node\d*$/.test(text) || text.startsWith("/")) return { language: "javascript", name: text };
  const versioned = /^(python|go|java|ruby)[\d.]*$/.exec(text)?.[1];
  const language = languages.find((one) => one === (versioned ?? text));
  return language === undefined ? undefined : { language, name: language };
}

const languages = ["python", "go", "java", "ruby", "rust", "bash", "any"] as const;
