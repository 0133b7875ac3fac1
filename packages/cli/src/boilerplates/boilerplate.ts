/** What a fresh function of one runtime is made of. */
export interface Boilerplate {
  /** Lines of func.yaml after the version: how it is started and what it needs. */
  readonly functionFile: readonly string[];
  /** Path → text. */
  files(name: string): Readonly<Record<string, string>>;
  /** Paths that may be executed. */
  readonly programs?: readonly string[];
}
