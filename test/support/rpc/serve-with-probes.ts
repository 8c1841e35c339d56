import { createSystemClock } from "../../../src/lib/clock.ts";
import { createPrometheusMetrics } from "../../../src/telemetry/prometheus-metrics.ts";
import { serveProbes } from "../../../src/telemetry/serve-probes.ts";
import { serveForTest } from "./serve-for-test.ts";

/*
 * Program that serves an RPC port and probes until it is killed, and prints both URLs as JSON: for tests of limits that
 * concern a whole process.
 */
const rpc = await serveForTest({});
const probes = await serveProbes(new AbortController().signal, {
  host: "127.0.0.1",
  port: 0,
  checks: [],
  prometheus: createPrometheusMetrics("evenkeel-test", ""),
  clock: createSystemClock(),
});
process.stdout.write(`${JSON.stringify({ rpcPort: rpc.port, probes: probes.url })}\n`);
