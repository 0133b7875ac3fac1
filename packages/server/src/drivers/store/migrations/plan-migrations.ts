import type { CompiledMigration } from "./compile-migrations.ts";

export type MigrationPlan =
  | { readonly kind: "fits"; readonly pending: readonly CompiledMigration[] }
  | { readonly kind: "unfit"; readonly reason: string };

/**
 * What is left to run. A database does not fit when it was written by a newer program (it knows a migration that this
 * one does not) or when an applied migration is not the one this program carries: opening it could lose data.
 */
export function planMigrations(
  migrations: readonly CompiledMigration[],
  applied: readonly Pick<CompiledMigration, "name" | "digest">[],
): MigrationPlan {
  for (const [index, done] of applied.entries()) {
    const known = migrations[index];
    if (known === undefined) return { kind: "unfit", reason: `a newer version changed it (migration ${done.name})` };
    if (known.name !== done.name || known.digest !== done.digest)
      return { kind: "unfit", reason: `its migration ${done.name} is not this version's ${known.name}` };
  }
  return { kind: "fits", pending: migrations.slice(applied.length) };
}
