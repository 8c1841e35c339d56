import type { Fields, ValuesOf } from "./field.ts";

/** What can be configured of a program. */
export interface Program<F extends Fields, Config> {
  readonly fields: F;
  /** The program's configuration as its parts take it: complete, with units in the names. */
  readonly toConfig: (values: ValuesOf<F>) => Config;
}

/** Ties a program's keys to its configuration. */
export function defineProgram<F extends Fields, Config>(
  fields: F,
  toConfig: (values: ValuesOf<F>) => Config,
): Program<F, Config> {
  return { fields, toConfig };
}
