import * as z from "zod/mini";
import type { LogFormat, LogLevel } from "../../lib/log.ts";
import { optional, type ValuesOf, withDefault } from "../field.ts";
import { endpointUrl, port, text, type ValueType } from "../value-types.ts";
import { sharedFields } from "./shared.ts";

/** Logs, probes and traces of a program. */
export interface TelemetryConfig {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Unset: no probes and no metrics. */
  readonly probes: { readonly host: string; readonly port: number } | undefined;
  /** Unset: no traces. */
  readonly traces: { readonly url: string; readonly ratio: number } | undefined;
}

const ratio: ValueType<number> = {
  schema: z.number().check(z.minimum(0), z.maximum(1)),
  expected: "a number from 0 to 1",
  fromText: (value) => (/^\d+(\.\d+)?$/.test(value) ? Number(value) : value),
  placeholder: "ratio",
};

/** Keys of {@link TelemetryConfig}. */
export const telemetryFields = {
  logLevel: sharedFields.logLevel,
  logFormat: sharedFields.logFormat,
  probePort: optional<number>(port, "Port for /livez, /readyz and /metrics; unset: no such port"),
  probeHost: withDefault<string>(text("address"), "127.0.0.1", "Address to listen on for probes"),
  traceUrl: optional<string>(
    endpointUrl,
    "OTLP/HTTP endpoint for traces, such as http://127.0.0.1:4318/v1/traces; unset: no traces",
  ),
  traceRatio: withDefault<number>(ratio, 0.1, "Share of watch events to trace, from 0 to 1"),
};

/** Returns the configuration for the keys. */
export function toTelemetryConfig(values: ValuesOf<typeof telemetryFields>): TelemetryConfig {
  const { logLevel, logFormat, probePort, probeHost, traceUrl, traceRatio } = values;
  return {
    logLevel,
    logFormat,
    probes: probePort === undefined ? undefined : { host: probeHost, port: probePort },
    traces: traceUrl === undefined ? undefined : { url: traceUrl, ratio: traceRatio },
  };
}
