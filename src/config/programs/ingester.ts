import { type BusConfig, busFields, toBusConfig } from "../fields/bus.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";
import { defineProgram } from "../program.ts";

/** What `evenkeel ingester` runs with. */
export interface IngesterConfig {
  readonly databaseUrl: string;
  readonly bus: BusConfig;
  readonly telemetry: TelemetryConfig;
}

const { databaseUrl } = sharedFields;

/** Keys of {@link IngesterConfig}. */
export const ingesterProgram = defineProgram(
  { databaseUrl, ...busFields, ...telemetryFields },
  (values): IngesterConfig => ({
    databaseUrl: values.databaseUrl,
    bus: toBusConfig(values),
    telemetry: toTelemetryConfig(values),
  }),
);
