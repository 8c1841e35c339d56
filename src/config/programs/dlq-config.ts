import { type BusConfig, busFields, toBusConfig } from "../fields/bus.ts";
import { defineProgram } from "../program.ts";

/** What `evenkeel dlq ...` runs with. */
export interface DlqConfig {
  readonly bus: BusConfig;
}

/** Keys of {@link DlqConfig}. */
export const dlqProgram = defineProgram(busFields, (values): DlqConfig => ({ bus: toBusConfig(values) }));
