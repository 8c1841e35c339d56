import * as z from "zod/mini";
import type { BusSettings } from "../../bus/settings.ts";
import { defineProgram, optional, withDefault } from "../field.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { databaseFields, toDatabaseUrl } from "../fields/database.ts";
import { byteSize, duration, text, type ValueType } from "../value-types.ts";

/** Configuration of `evenkeel admin topics`. */
export interface AdminTopicsConfig {
  readonly bus: BusSettings;
  /** Of the events topic; fixed once it exists. */
  readonly partitions: number;
  /** Backlog quota of each partition. */
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
    partitions: withDefault<number>(
      partitionCount,
      16,
      "Partitions of the events topic; fixed once it exists",
    ),
    backlogQuota: withDefault<number>(
      byteSize,
      "4GiB",
      "Backlog quota per partition; publishes beyond it are rejected",
    ),
    eventRetention: optional<number>(
      duration,
      "How long to keep events after they are in Postgres; unset: not at all",
    ),
    deadLetterRetention: withDefault<number>(duration, "30d", "How long to keep dead letters"),
  },
  (values): AdminTopicsConfig => ({
    bus: toBusSettings(values),
    partitions: values.partitions,
    backlogBytes: values.backlogQuota,
    eventRetentionMs: values.eventRetention,
    deadLetterRetentionMs: values.deadLetterRetention,
  }),
);

/** Configuration of `evenkeel dlq ...`. */
export interface DlqConfig {
  readonly bus: BusSettings;
}

/** Keys of {@link DlqConfig}. */
export const dlqProgram = defineProgram(busFields, (values): DlqConfig => ({ bus: toBusSettings(values) }));

/** Configuration of `evenkeel migrate`. */
export interface MigrateConfig {
  readonly databaseUrl: string;
}

/** Keys of {@link MigrateConfig}. */
export const migrateProgram = defineProgram(
  databaseFields,
  (values): MigrateConfig => ({ databaseUrl: toDatabaseUrl(values) }),
);

/** Configuration of `evenkeel admin cluster ...`. */
export interface AdminClusterConfig {
  readonly databaseUrl: string;
  readonly account: string;
}

/** Keys of {@link AdminClusterConfig}. */
export const adminClusterProgram = defineProgram(
  {
    ...databaseFields,
    account: withDefault<string>(text("name"), "default", "Account of the cluster"),
  },
  (values): AdminClusterConfig => ({ databaseUrl: toDatabaseUrl(values), account: values.account }),
);
