import { sharedFields } from "../fields/shared.ts";
import { defineProgram } from "../program.ts";

/** What `evenkeel migrate` runs with. */
export interface MigrateConfig {
  readonly databaseUrl: string;
}

const { databaseUrl } = sharedFields;

/** Keys of {@link MigrateConfig}. */
export const migrateProgram = defineProgram({ databaseUrl }, (values): MigrateConfig => values);
