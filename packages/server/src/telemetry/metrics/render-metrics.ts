import type { FunctionFigures } from "./function-metrics.ts";
import { bucketSeconds, columns, countedStatuses, gaugeColumns, histogram } from "./metric-columns.ts";
import type { MetricFamily } from "./metric-family.ts";

export interface Figures extends FunctionFigures {
  readonly families: readonly MetricFamily[];
}

/** Yields Prometheus text (exposition format 0.0.4), a function's series at a time. `names` are those of the rows. */
export function* renderMetrics(figures: Figures, names: readonly string[]): Generator<string> {
  const labels = rowLabels(names);
  for (const family of figures.families) yield renderFamily(family);
  yield* renderCalls(figures.counters, labels);
  yield* renderColdStarts(figures.counters, labels);
  const durationHelp = "Time from dispatch to the last byte of the answer.";
  yield* renderHistogram("chaya_call_duration_seconds", durationHelp, { ...figures, labels, start: columns.duration });
  const waitHelp = "Time from acceptance until an instance took the call.";
  yield* renderHistogram("chaya_call_wait_seconds", waitHelp, { ...figures, labels, start: columns.wait });
  yield* renderGauges(figures.gauges, labels);
}

/** `app="…",fn="…"` of each row; names come as application, function, application, function … */
function rowLabels(names: readonly string[]): readonly string[] {
  const labels: string[] = [];
  for (let at = 0; at + 1 < names.length; at += 2) {
    labels.push(`app="${escapeLabel(names[at] ?? "")}",fn="${escapeLabel(names[at + 1] ?? "")}"`);
  }
  return labels;
}

function* renderCalls(counters: Float64Array, labels: readonly string[]): Generator<string> {
  yield header("chaya_calls_total", "Calls that finished, each attempt of one, by how they ended.", "counter");
  for (const [row, label] of labels.entries()) {
    for (const [index, status] of countedStatuses.entries()) {
      const value = counters[row * columns.count + columns.status + index] ?? 0;
      if (value > 0) yield `chaya_calls_total{${label},status="${status}"} ${value}\n`;
    }
  }
}

function* renderColdStarts(counters: Float64Array, labels: readonly string[]): Generator<string> {
  yield header("chaya_cold_starts_total", "Calls that waited for an instance to start.", "counter");
  for (const [row, label] of labels.entries()) {
    const value = counters[row * columns.count + columns.coldStarts] ?? 0;
    if (value > 0) yield `chaya_cold_starts_total{${label}} ${value}\n`;
  }
}

interface HistogramRows {
  readonly counters: Float64Array;
  readonly labels: readonly string[];
  readonly start: number;
}

function* renderHistogram(name: string, help: string, rows: HistogramRows): Generator<string> {
  yield header(name, help, "histogram");
  for (const [row, label] of rows.labels.entries()) {
    const at = row * columns.count + rows.start;
    let count = 0;
    let text = "";
    for (const [bucket, seconds] of bucketSeconds.entries()) {
      count += rows.counters[at + bucket] ?? 0;
      text += `${name}_bucket{${label},le="${seconds}"} ${count}\n`;
    }
    count += rows.counters[at + bucketSeconds.length] ?? 0;
    if (count === 0) continue;
    const sum = rows.counters[at + histogram.sum] ?? 0;
    yield `${text}${name}_bucket{${label},le="+Inf"} ${count}\n${name}_sum{${label}} ${sum}\n${name}_count{${label}} ${count}\n`;
  }
}

function* renderGauges(gauges: Float64Array, labels: readonly string[]): Generator<string> {
  const states = gaugeColumns.filter((name) => name !== "waiting");
  yield header("chaya_instances", "Instances of a function by what they do.", "gauge");
  for (const [row, label] of labels.entries()) {
    for (const state of states) {
      const value = gauges[row * gaugeColumns.length + gaugeColumns.indexOf(state)] ?? Number.NaN;
      if (!Number.isNaN(value)) yield `chaya_instances{${label},state="${state}"} ${value}\n`;
    }
  }
  yield header("chaya_calls_waiting", "Calls that wait for an instance.", "gauge");
  for (const [row, label] of labels.entries()) {
    const value = gauges[row * gaugeColumns.length + gaugeColumns.indexOf("waiting")] ?? Number.NaN;
    if (!Number.isNaN(value)) yield `chaya_calls_waiting{${label}} ${value}\n`;
  }
}

function renderFamily({ name, help, type, samples }: MetricFamily): string {
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
  });
  return header(name, help, type) + lines.join("");
}

function header(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
