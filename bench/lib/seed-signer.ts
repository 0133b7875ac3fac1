// Puts an administrator with an API key into the data directory of a stopped server: a client that signs.
import { createHash, generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ocidOf } from "../../packages/contract/src/oci/ocid.ts";
import { createIds } from "../../packages/server/src/kernel/ids.ts";
import { systemRandom } from "../../packages/server/src/kernel/random.ts";
import type { SigningKey } from "../../packages/server/src/testing/signing-client.ts";

/** The server has been started on the directory before, and has stopped. */
export function seedSigner(data: string): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const der = publicKey.export({ type: "spki", format: "der" });
  const fingerprint = createHash("md5").update(der).digest("hex").match(/../g)?.join(":") ?? "";
  const nowMs = Date.now();
  const newId = createIds({ nowMs: () => nowMs }, systemRandom());
  const userId = newId();
  const database = new DatabaseSync(join(data, "main.db"));
  const rootId = selectText(database, "select value from facts where key = 'root-compartment'");
  const groupId = selectText(database, "select id as value from user_groups where name = 'Administrators'");
  database
    .prepare(
      `insert into users (id, compartment_id, tags, etag, version, created_by, created_at_ms, updated_at_ms, name,
         description, email, is_blocked, can_use_api_keys, can_use_auth_tokens)
       values (?, ?, '{}', '1', 1, 'bench', ?, ?, 'bench', '', '', 0, 1, 1)`,
    )
    .run(userId, rootId, nowMs, nowMs);
  database.prepare("insert into memberships values (?, ?, ?, ?)").run(newId(), userId, groupId, nowMs);
  database
    .prepare("insert into api_keys values (?, ?, ?, ?)")
    .run(userId, fingerprint, publicKey.export({ type: "spki", format: "pem" }), nowMs);
  database.close();
  return { privateKey, keyId: `${ocidOf("tenancy", rootId, "")}/${ocidOf("user", userId, "")}/${fingerprint}` };
}

function selectText(database: DatabaseSync, query: string): string {
  return String(database.prepare(query).get()?.value);
}
