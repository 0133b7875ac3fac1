/** A lane whose turn it is, with the most it could start now. */
export interface Candidate<Lane> {
  readonly lane: Lane;
  readonly kind: string;
  readonly startableMax: number;
}

export interface Turn<Lane> {
  readonly lane: Lane;
  readonly kind: string;
  readonly countMax: number;
}

/**
 * Hands out places one by one: in each pass every lane of every kind gets one, until the lanes or the places run out.
 * So the places a lane gets never depend on how much it has waiting. `takePlace` says whether the kind got one.
 */
export function shareTurns<Lane>(
  candidates: readonly Candidate<Lane>[],
  takePlace: (kind: string) => boolean,
): readonly Turn<Lane>[] {
  const counts = new Map<Candidate<Lane>, number>();
  let waiting = candidates.filter((candidate) => candidate.startableMax > 0);
  while (waiting.length > 0) {
    waiting = waiting.filter((candidate) => {
      if (!takePlace(candidate.kind)) return false;
      const count = (counts.get(candidate) ?? 0) + 1;
      counts.set(candidate, count);
      return count < candidate.startableMax;
    });
  }
  return [...counts].map(([{ lane, kind }, countMax]) => ({ lane, kind, countMax }));
}
