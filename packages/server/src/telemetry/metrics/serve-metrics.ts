import type { ServeExchange } from "../../http/exchange.ts";
import type { ReadGauges } from "../../seams.ts";
import type { MetricFamily } from "./metric-family.ts";
import type { MetricsRenderer } from "./metrics-renderer.ts";

export interface ServeMetricsDeps {
  readonly renderer: MetricsRenderer;
  readonly readGauges: ReadGauges;
  readonly readFamilies: () => Promise<readonly MetricFamily[]>;
}

/** Prometheus text, exposition format 0.0.4. */
export function serveMetrics({ renderer, readGauges, readFamilies }: ServeMetricsDeps): ServeExchange {
  return async ({ request, response }) => {
    const chunks = await renderer.render(async () => ({ families: await readFamilies(), gauges: readGauges() }));
    if (response.destroyed) return;
    response.writeHead(200, {
      "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
      "Content-Length": chunks.reduce((bytes, chunk) => bytes + chunk.length, 0),
      "Cache-Control": "no-store",
    });
    // All of it is in memory already; a client that went away meanwhile is no failure.
    if (request.method !== "HEAD") for (const chunk of chunks) response.write(chunk);
    response.end();
  };
}
