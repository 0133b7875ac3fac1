/** What must be decided when a process is started, long before its function is known. */
export interface Flavour {
  readonly program: "node" | "python";
  readonly network: "none" | "outbound";
  /** The largest heap of Node, which takes it at its start only; 0 for others. */
  readonly heapMiB: number;
  /** What it must see beside what every instance sees: another Node's folder. */
  readonly readable: readonly string[];
}

/** Processes of one key are alike. */
export function flavourKey({ program, network, heapMiB, readable }: Flavour): string {
  return [program, network, heapMiB, ...readable].join(" ");
}

/** The same without what makes no difference where nothing stands between instances and the machine. */
export function unconfinedFlavour(flavour: Flavour): Flavour {
  return { ...flavour, network: "outbound", readable: [] };
}
