import { createHash } from "node:crypto";
import type { Migration, Store } from "../driver.ts";

type Dialect = Store<unknown>["kind"];

/** A migration compiled for one store; a row of the table `migrations` once it was applied. */
export interface CompiledMigration {
  readonly name: string;
  /** 64 hexadecimal digits over the statements; white space does not count. */
  readonly digest: string;
  readonly statements: readonly string[];
}

export function compileMigrations(migrations: readonly Migration[], dialect: Dialect): readonly CompiledMigration[] {
  return migrations.map((migration) => {
    const statements = migration.statements(dialect).map((statement) => statement.replace(/\s+/g, " ").trim());
    const digest = createHash("sha256").update(statements.join(";\n")).digest("hex");
    return { name: migration.name, digest, statements };
  });
}
