import { defineProgram } from "./program.ts";
import { sharedFields } from "./shared-fields.ts";

/** What the commands that ask a server run with. */
export interface ClientConfig {
  /** URL of the server. */
  readonly server: string;
}

const { server } = sharedFields;

/** Keys of {@link ClientConfig}. */
export const clientProgram = defineProgram({ server }, (values): ClientConfig => values);
