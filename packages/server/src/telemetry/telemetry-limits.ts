import { limits } from "@chaya/contract";

type Name =
  | "callRecordsAgeMsMax"
  | "callRecordsMax"
  | "callRecordsPendingMax"
  | "logLineBytesMax"
  | "logBytesPerCallMax"
  | "logLinesPerCallMax"
  | "logBytesPerIdleMinuteMax"
  | "logLinesAgeMsMax"
  | "logBytesMax"
  | "logBytesPendingMax"
  | "logReadersMax"
  | "logReaderBytesPendingMax"
  | "logHeartbeatMs"
  | "capturedInputBytesMax"
  | "capturedInputInlineBytesMax"
  | "capturedInputBytesPendingMax"
  | "capturedInputsAgeMsMax"
  | "capturedInputsMax"
  | "metricFunctionsMax";

/** The limits of telemetry. Tests make them small; the platform takes the contract's. */
export type TelemetryLimits = { readonly [Limit in Name]: number };

export const telemetryLimits: TelemetryLimits = limits;
