import type { Language } from "../function-runtime.ts";
import { go } from "./go.ts";
import { java } from "./java.ts";
import type { BuildLanguage, BuiltCode, LanguageSource } from "./language.ts";
import { bash, program } from "./program.ts";
import { python } from "./python.ts";
import { ruby } from "./ruby.ts";
import { rust } from "./rust.ts";

const languages: Readonly<Record<Exclude<Language, "javascript">, BuildLanguage>> = {
  python,
  go,
  java,
  ruby,
  rust,
  bash,
  any: program,
};

/** Builds a function of any language but JavaScript, which becomes one script while it is packed: undefined. */
export async function buildCode(source: LanguageSource): Promise<BuiltCode | undefined> {
  const { language } = source.functionFile.runtime;
  return language === "javascript" ? undefined : await languages[language](source);
}
