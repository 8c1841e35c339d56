import type { BusSettings } from "../../bus/settings.ts";
import type { DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import { defineProgram } from "../field.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { databaseFields, toDatabaseUrl } from "../fields/database.ts";
import { guardFields, scrubRows, toDeletionGuard } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";

/** Configuration of `evenkeel ingester`. */
export interface IngesterConfig {
  readonly databaseUrl: string;
  readonly bus: BusSettings;
  /** Rows of each resource type whose checksums each run recomputes. */
  readonly scrubRows: number;
  readonly guard: DeletionGuard;
  readonly telemetry: TelemetryConfig;
}

/** Keys of {@link IngesterConfig}. */
export const ingesterProgram = defineProgram(
  { ...databaseFields, scrubRows, ...guardFields, ...busFields, ...telemetryFields },
  (values): IngesterConfig => ({
    databaseUrl: toDatabaseUrl(values),
    bus: toBusSettings(values),
    scrubRows: values.scrubRows,
    guard: toDeletionGuard(values),
    telemetry: toTelemetryConfig(values),
  }),
);
