import type { BusSettings } from "../../bus/settings.ts";
import { defineProgram } from "../field.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";

/** Configuration of `evenkeel ingester`. */
export interface IngesterConfig {
  readonly databaseUrl: string;
  readonly bus: BusSettings;
  readonly telemetry: TelemetryConfig;
}

const { databaseUrl } = sharedFields;

/** Keys of {@link IngesterConfig}. */
export const ingesterProgram = defineProgram(
  { databaseUrl, ...busFields, ...telemetryFields },
  (values): IngesterConfig => ({
    databaseUrl: values.databaseUrl,
    bus: toBusSettings(values),
    telemetry: toTelemetryConfig(values),
  }),
);
