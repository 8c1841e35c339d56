import * as z from "zod/mini";
import type { BusSettings } from "../../bus/settings.ts";
import { defineProgram, optional, withDefault } from "../field.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { sharedFields } from "../fields/shared.ts";
import { byteSize, duration, type ValueType } from "../value-types.ts";

/** What `evenkeel admin topics` runs with. */
export interface AdminTopicsConfig {
  readonly bus: BusSettings;
  /** Of the events topic, for its life. */
  readonly partitions: number;
  /** Most that each of them may hold unapplied. */
  readonly backlogBytes: number;
  /** Unset: not at all. */
  readonly eventRetentionMs: number | undefined;
  readonly deadLetterRetentionMs: number;
}

const partitionCount: ValueType<number> = {
  schema: z.int().check(z.minimum(1), z.maximum(1000)),
  expected: "a whole number from 1 to 1000",
  fromText: (value) => (/^\d{1,4}$/.test(value) ? Number(value) : value),
  placeholder: "count",
};

/** Keys of {@link AdminTopicsConfig}. */
export const adminTopicsProgram = defineProgram(
  {
    ...busFields,
    partitions: withDefault<number>(partitionCount, 16, "Partitions of the events topic, for its life"),
    backlogQuota: withDefault<number>(
      byteSize,
      "4GiB",
      "Most that each partition holds of what is not yet in Postgres; more is refused",
    ),
    eventRetention: optional<number>(
      duration,
      "How long events are kept after they are in Postgres; unset: not at all",
    ),
    deadLetterRetention: withDefault<number>(duration, "30d", "How long dead letters are kept"),
  },
  (values): AdminTopicsConfig => ({
    bus: toBusSettings(values),
    partitions: values.partitions,
    backlogBytes: values.backlogQuota,
    eventRetentionMs: values.eventRetention,
    deadLetterRetentionMs: values.deadLetterRetention,
  }),
);

/** What `evenkeel dlq ...` runs with. */
export interface DlqConfig {
  readonly bus: BusSettings;
}

/** Keys of {@link DlqConfig}. */
export const dlqProgram = defineProgram(busFields, (values): DlqConfig => ({ bus: toBusSettings(values) }));

/** What `evenkeel migrate` runs with. */
export interface MigrateConfig {
  readonly databaseUrl: string;
}

const { databaseUrl } = sharedFields;

/** Keys of {@link MigrateConfig}. */
export const migrateProgram = defineProgram({ databaseUrl }, (values): MigrateConfig => values);
