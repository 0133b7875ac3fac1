/** Columns that every resource has from the first migration (a resource: a thing with an id that a person can name). */
export interface ResourceColumns {
  id: string;
  compartment_id: string;
  /** JSON text. */
  tags: string;
  etag: string;
  version: number;
  created_by: string;
  cause_id: string | null;
  trace_id: string | null;
  created_at_ms: number;
  updated_at_ms: number;
}

export interface ApplicationsTable extends ResourceColumns {
  name: string;
  /** JSON text: string to string. */
  config: string;
  /** JSON text: key to value; values keep the order of their members. */
  annotations: string;
  syslog_url: string;
  shape: string;
  /** JSON text: members that only the OCI API knows. */
  oci: string;
}

export interface FunctionsTable extends ResourceColumns {
  application_id: string;
  name: string;
  image: string;
  memory_mib: number;
  timeout_s: number;
  idle_timeout_s: number;
  config: string;
  annotations: string;
  shape: string;
  /** JSON text: members that only the OCI API knows. */
  oci: string;
}

export interface TriggersTable extends ResourceColumns {
  application_id: string;
  function_id: string;
  name: string;
  type: string;
  source: string;
  annotations: string;
}

/** The last images of each function. `seq` orders them: the largest was made current last. */
export interface ImagesTable {
  function_id: string;
  image: string;
  seq: number;
  created_at_ms: number;
}

export interface BundlesTable {
  /** 64 hexadecimal digits of the sha256 of the uploaded bytes. */
  digest: string;
  payload_id: string;
  bytes: number;
  /** When it was uploaded or put on a function last: the collector counts its age from here. */
  created_at_ms: number;
}

export interface SecretsTable extends ResourceColumns {
  application_id: string;
  /** Empty: for every function of the application. */
  function_id: string;
  name: string;
  /** AES-256-GCM: 12 bytes nonce, 16 bytes tag, then the ciphertext. */
  sealed: Uint8Array;
}

/**
 * Everything that happens later. A row is waiting (lease_token null) or leased; settling deletes or reschedules it.
 * Indexes: (kind, claimable_at_ms + 0) finds what is due, (kind, lane, claimable_at_ms, id) claims in a lane,
 * (expires_at_ms) finds what grew too old.
 */
export interface WorkTable {
  id: string;
  kind: string;
  lane: string;
  due_at_ms: number;
  /** Who may claim it, and when: due_at_ms while it waits, the end of the lease while it is leased. */
  claimable_at_ms: number;
  /** When the work was accepted. */
  accepted_at_ms: number;
  /** Older work becomes a dead letter whatever its attempts. */
  expires_at_ms: number;
  /** Attempts that were started, whatever came of them: the number a handler sees. Never goes back. */
  attempt: number;
  /** Attempts that count against attempts_max: the work's own failures. */
  failures: number;
  attempts_max: number;
  lease_token: string | null;
  /** Inline up to 4 KiB. */
  payload: Uint8Array | null;
  /** The payload driver's id of a larger body. */
  payload_id: string | null;
  /** JSON text: what the kind's handler needs beside the payload. */
  details: string;
  cause_id: string | null;
  trace_id: string | null;
}

/** Indexes: (kind, id, lane) lists, (died_at_ms, id) finds what grew too old. */
export interface DeadLettersTable {
  id: string;
  kind: string;
  lane: string;
  accepted_at_ms: number;
  died_at_ms: number;
  attempt: number;
  attempts_max: number;
  age_ms_max: number;
  payload: Uint8Array | null;
  payload_id: string | null;
  details: string;
  /** JSON text: { code, sentence, hint }. */
  problem: string;
  cause_id: string | null;
  trace_id: string | null;
}

export interface IdempotencyKeysTable {
  /** Who the key belongs to: the function. */
  scope: string;
  key: string;
  /** sha256 of what was sent, hexadecimal. */
  fingerprint: string;
  call_id: string;
  expires_at_ms: number;
}

/** One row per changed resource, in commit order and without gaps: every node tails it. The writer gives `seq`. */
export interface ChangesTable {
  seq: number;
  kind: string;
  id: string;
  at_ms: number;
}

/** Nodes that are alive: a node renews `seen_at_ms`, others count those seen lately. */
export interface NodesTable {
  id: string;
  started_at_ms: number;
  seen_at_ms: number;
}

/** Facts of the data directory: format version, tenancy, namespace … */
export interface FactsTable {
  key: string;
  value: string;
}

/** Below the root compartment, which is no row: its id is a fact. `compartment_id` is the parent. */
export interface CompartmentsTable extends ResourceColumns {
  name: string;
  description: string;
}

export interface UsersTable extends ResourceColumns {
  name: string;
  description: string;
  email: string;
  /** 1: no credential of the user is accepted. */
  is_blocked: number;
  can_use_api_keys: number;
  can_use_auth_tokens: number;
}

export interface UserGroupsTable extends ResourceColumns {
  name: string;
  description: string;
}

export interface DynamicGroupsTable extends ResourceColumns {
  name: string;
  description: string;
  matching_rule: string;
}

export interface MembershipsTable {
  id: string;
  user_id: string;
  group_id: string;
  created_at_ms: number;
}

export interface ApiKeysTable {
  user_id: string;
  /** MD5 of the DER SubjectPublicKeyInfo, hexadecimal, colons between the bytes. */
  fingerprint: string;
  /** PEM, SubjectPublicKeyInfo. */
  public_key: string;
  created_at_ms: number;
}

/** What is sent as Bearer token; only its hash is kept. */
export interface TokensTable {
  id: string;
  /** SHA-256 of the token, hexadecimal. */
  hash: string;
  /** auth: an OCI auth token · session: of a login · login: exchanged for a session once · admin: DATA/keys/admin.token */
  kind: string;
  user_id: string;
  description: string;
  created_at_ms: number;
  expires_at_ms: number | null;
}

/** Key pairs of the platform: `resource-principals` signs tokens, `function/ID` is that function's own, … */
export interface PlatformKeysTable {
  name: string;
  /** The private key, sealed with the key of the secrets. */
  sealed: Uint8Array;
  /** PEM. */
  public_part: string;
  created_at_ms: number;
}

export interface PoliciesTable extends ResourceColumns {
  name: string;
  description: string;
  /** JSON text: an array of statements. */
  statements: string;
  /** `2026-11-24`: how the verbs are read; null: as they are now. */
  version_date: string | null;
}

/** `opc-retry-token`: what the first request with it made. */
export interface RetryTokensTable {
  principal_id: string;
  operation: string;
  token: string;
  resource_id: string;
  expires_at_ms: number;
}

/** One row per control change that was asked for, written before it is made and completed after it. */
export interface AuditEventsTable {
  id: string;
  at_ms: number;
  principal_kind: string;
  principal_id: string;
  principal_name: string;
  operation: string;
  method: string;
  /** The declared path with the ids that stood in it. */
  path: string;
  resource_id: string | null;
  resource_name: string | null;
  compartment_id: string | null;
  request_id: string;
  peer: string;
  user_agent: string;
  /** HTTP status; null as long as it is under way, and for good when the server ended meanwhile. */
  status: number | null;
  /** Code of the problem it was answered with. */
  problem: string | null;
  finished_at_ms: number | null;
}

export interface MainTables {
  applications: ApplicationsTable;
  functions: FunctionsTable;
  triggers: TriggersTable;
  images: ImagesTable;
  bundles: BundlesTable;
  secrets: SecretsTable;
  work: WorkTable;
  dead_letters: DeadLettersTable;
  idempotency_keys: IdempotencyKeysTable;
  changes: ChangesTable;
  nodes: NodesTable;
  facts: FactsTable;
  compartments: CompartmentsTable;
  users: UsersTable;
  user_groups: UserGroupsTable;
  dynamic_groups: DynamicGroupsTable;
  memberships: MembershipsTable;
  api_keys: ApiKeysTable;
  tokens: TokensTable;
  platform_keys: PlatformKeysTable;
  policies: PoliciesTable;
  retry_tokens: RetryTokensTable;
  audit_events: AuditEventsTable;
}

/** One row per call (its newest attempt), written in batches off the hot path. */
export interface CallsTable {
  id: string;
  /** A row of `called_functions`. */
  called_id: string;
  source: string;
  status: string;
  attempt: number;
  /** Which node recorded it last, as long as it is not over. */
  node_id: string | null;
  accepted_at_ms: number;
  started_at_ms: number | null;
  finished_at_ms: number | null;
  http_status: number | null;
  wait_us: number;
  run_us: number;
  is_cold_start: number;
  request_bytes: number;
  response_bytes: number;
  /** JSON text: { code, sentence, hint }. */
  problem: string | null;
  cause_id: string | null;
  trace_id: string | null;
}

/** A function as calls found it. Each node makes its own rows, anew when something changed and every day. */
export interface CalledFunctionsTable {
  id: string;
  application_id: string;
  application_name: string;
  function_id: string;
  function_name: string;
  image: string;
  memory_mib: number;
}

/** In which seconds calls of an application or a function were made: where to look for them among all calls. */
export interface CallSecondsTable {
  /** Of the application or the function. */
  owner_id: string;
  /** The last that an id made in this second begins with. */
  id: string;
}

export interface LogLinesTable {
  /** Increases in the order of writing within one node. */
  id: string;
  at_ms: number;
  application_id: string;
  function_id: string;
  call_id: string | null;
  stream: string;
  text: Uint8Array;
  cause_id: string | null;
  trace_id: string | null;
}

export interface CapturedInputsTable {
  call_id: string;
  function_id: string;
  captured_at_ms: number;
  content_type: string;
  bytes: number;
  payload: Uint8Array | null;
  payload_id: string | null;
}

export interface TelemetryTables {
  calls: CallsTable;
  called_functions: CalledFunctionsTable;
  call_seconds: CallSecondsTable;
  log_lines: LogLinesTable;
  captured_inputs: CapturedInputsTable;
}
