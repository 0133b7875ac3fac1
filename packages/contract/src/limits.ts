const kibi = 1024;
const mebi = 1024 * kibi;
const gibi = 1024 * mebi;
const hourMs = 3_600_000;

/** Every limit of the platform, once, with its unit in its name. */
export const limits = {
  // HTTP
  requestLineBytesMax: 16 * kibi,
  headerBytesMax: 32 * kibi,
  headersCountMax: 100,
  controlBodyBytesMax: 1 * mebi,
  headersTimeoutMs: 15_000,
  bodyStallMs: 60_000,
  responseStallMs: 60_000,
  /** A body or an answer that moves fewer bytes than this within its stall time counts as standing still. */
  stallBytesMin: 1 * kibi,
  /** What is still read and thrown away after a request was answered before its body had come. */
  refusedBodyBytesMax: 1 * mebi,
  /** How long a connection stays open after its last answer, so that the client can read it. */
  lingerMs: 2_000,
  /** How long a request with Chaya-Seq waits for this node to catch up. */
  seqWaitMs: 5_000,
  keepAliveMs: 30_000,
  connectionsMax: 20_000,
  jsonDepthMax: 64,
  drainMs: 30_000,
  // identity
  /** How far the date of a signed request may lie from the server's time. */
  signatureSkewMsMax: 300_000,
  /** A signed body that must be whole before a byte of it may be used. */
  signedBodyBytesMax: 6 * mebi,
  loginLinkAgeMsMax: 600_000,
  sessionAgeMsMax: 12 * hourMs,
  /** Login links that were not used yet included. */
  sessionsPerUserMax: 100,
  failedLoginsPerMinuteMax: 60,
  /** Of the token with which a function asks as itself; it gets another long before. */
  resourceTokenAgeMsMax: 1_200_000,
  resourceTokenRefreshMs: 480_000,
  /** Key pairs that are made ahead of new functions. */
  spareKeyPairsMax: 4,
  /** What a node keeps in memory of functions that were started lately. */
  functionKeysKeptMax: 1_000,
  /** New functions whose key pair is made before their first start; those beyond get it with it. */
  functionKeysAwaitedMax: 1_000,
  resourceTokensKeptMax: 1_000,
  // identity records
  identityNameCharactersMax: 100,
  identityDescriptionCharactersMax: 400,
  identityPageItemsDefault: 100,
  identityPageItemsMax: 1000,
  usersMax: 10_000,
  groupsMax: 1000,
  dynamicGroupsMax: 1000,
  policiesMax: 1000,
  compartmentsMax: 1000,
  /** Below the root compartment. */
  compartmentDepthMax: 6,
  groupsPerUserMax: 100,
  apiKeysPerUserMax: 3,
  authTokensPerUserMax: 10,
  publicKeyCharactersMax: 16 * kibi,
  publicKeyBitsMin: 2048,
  publicKeyBitsMax: 8192,
  /** API keys that a node keeps ready to verify with; the others are read from their text again. */
  apiKeysReadyMax: 1000,
  retryTokenAgeMsMax: 24 * hourMs,
  // records
  nameBytesMax: 255,
  annotationKeyBytesMax: 128,
  annotationValueBytesMax: 512,
  annotationsCountMax: 100,
  configEntriesMax: 500,
  configBytesMax: 256 * kibi,
  pageItemsDefault: 30,
  pageItemsMax: 100,
  imagesKeptPerFunction: 10,
  imageTextBytesMax: 1024,
  triggerSourceBytesMax: 1024,
  // OCI's APIs: narrower than Fn's where OCI is. Source: OCI documentation, "Functions" and "Tagging Overview".
  ociConfigBytesMax: 4 * kibi,
  ociDetachedTimeoutSMin: 5,
  ociInvokeBodyBytesMax: 6 * mebi,
  /** What is kept of a record although only the OCI API knows it. */
  ociMembersBytesMax: 64 * kibi,
  ociPageItemsDefault: 10,
  ociPageItemsMax: 50,
  freeformTagsMax: 10,
  definedTagsMax: 64,
  tagKeyCharactersMax: 100,
  tagValueCharactersMax: 256,
  // functions
  functionMemoryMiBDefault: 128,
  functionMemoryMiBMax: 8192,
  functionTimeoutSDefault: 30,
  functionTimeoutSMax: 300,
  functionIdleTimeoutSDefault: 30,
  functionIdleTimeoutSMax: 3600,
  detachedTimeoutSMax: 3600,
  instanceStartTimeoutMs: 5_000,
  /** What a failed start printed, as far as its callers are told: the last lines, each cut, all together. */
  startOutputLinesMax: 20,
  startOutputLineCharactersMax: 300,
  startOutputCharactersMax: 4 * kibi,
  /** What an instance may print in a second; more makes it wait. */
  instanceOutputBytesPerSecondMax: 16 * mebi,
  responseBodyBytesMax: 2 * gibi,
  responseHeaderBytesMax: 64 * kibi,
  requestBodyBytesMax: 2 * gibi,
  detachedBodyBytesMax: 6 * mebi,
  instancesPerFunctionMax: 64,
  instancesPerApplicationMax: 256,
  instancesPerNodeMax: 512,
  instanceConcurrencyMax: 100,
  /** In a sandbox: threads count as well. */
  instanceProcessesMax: 256,
  instanceOpenFilesMax: 1024,
  /** Of its temporary directory and of its shared memory, in a sandbox; both are memory of the instance. */
  instanceTemporaryBytesMax: 256 * mebi,
  waitingCallsPerFunctionMax: 10_000,
  waitingCallsPerNodeMax: 50_000,
  callChainDepthMax: 16,
  /** Connections that an instance has to its door at once; further ones are closed. */
  doorConnectionsPerInstanceMax: 128,
  /** A call with an inspector: all of it, with no other deadline. */
  inspectionMsMax: 1 * hourMs,
  /** How long one that was asked for waits for its call. */
  inspectionUnusedMsMax: 60_000,
  inspectionsPerNodeMax: 8,
  /** What an inspected instance may use beside the memory of its function. */
  inspectionMemoryMiB: 128,
  inspectorConnectionsMax: 32,
  crashBackoffMsBase: 500,
  crashBackoffMsMax: 60_000,
  // bundles
  bundleBytesMax: 256 * mebi,
  bundleUnpackedBytesMax: 1 * gibi,
  bundleEntriesMax: 100_000,
  bundlePathBytesMax: 1024,
  /** Unpacked bytes per packed byte. */
  bundleRatioMax: 200,
  // asynchronous work
  workPayloadInlineBytesMax: 4 * kibi,
  workLeaseMs: 15_000,
  detachedRetriesMax: 100,
  detachedAgeMsMax: 24 * hourMs,
  detachedWaitingPerFunctionMax: 1_000_000,
  idempotencyKeyAgeMsMax: 24 * hourMs,
  deadLetterAgeMsMax: 14 * 24 * hourMs,
  deadLettersMax: 1_000_000,
  retryBackoffMsBase: 1_000,
  retryBackoffMsMax: 300_000,
  changesKeptMax: 100_000,
  // telemetry
  callRecordsAgeMsMax: 14 * 24 * hourMs,
  callRecordsMax: 2_000_000,
  logLineBytesMax: 16 * kibi,
  logBytesPerCallMax: 1 * mebi,
  logLinesPerCallMax: 10_000,
  /** What a function may print in a minute while no call of it runs. */
  logBytesPerIdleMinuteMax: 1 * mebi,
  logLinesAgeMsMax: 7 * 24 * hourMs,
  logBytesMax: 2 * gibi,
  capturedInputBytesMax: 64 * kibi,
  capturedInputsAgeMsMax: 3 * 24 * hourMs,
  capturedInputsMax: 10_000,
  /** Smaller ones stand in the record itself. */
  capturedInputInlineBytesMax: 4 * kibi,
  /** What waits in memory for a store that is slow; more is dropped and counted. */
  callRecordsPendingMax: 50_000,
  logBytesPendingMax: 16 * mebi,
  capturedInputBytesPendingMax: 16 * mebi,
  logReadersMax: 256,
  logReaderBytesPendingMax: 1 * mebi,
  logHeartbeatMs: 15_000,
  /** Functions that metrics tell apart; the others share one label. */
  metricFunctionsMax: 50_000,
  // storage
  payloadInlineBytesMax: 16 * kibi,
  payloadOrphanAgeMsMin: 24 * hourMs,
  diskFreeShareMin: 0.05,
  // audit
  auditEventsAgeMsMax: 365 * 24 * hourMs,
  auditUserAgentCharactersMax: 200,
  auditPathCharactersMax: 1024,
  // secrets
  secretValueBytesMax: 64 * kibi,
  secretsPerApplicationMax: 200,
  // access policies
  policyStatementsMax: 50,
  policyStatementCharactersMax: 16 * kibi,
  matchingRuleCharactersMax: 16 * kibi,
  /** Of `all {…}` and `any {…}` in one another. */
  conditionDepthMax: 16,
  /** Users and functions whose rights a node keeps worked out. */
  principalRightsKeptMax: 10_000,
} as const;
