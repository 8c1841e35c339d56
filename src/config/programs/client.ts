import { defineProgram } from "../field.ts";
import { assertOneToken, type TokenConfig, tokenFields } from "../fields/auth.ts";
import { sharedFields } from "../fields/shared.ts";

/** Configuration of the commands that call a server. */
export interface ClientConfig extends TokenConfig {
  /** URL of the server. */
  readonly server: string;
}

const { server } = sharedFields;

/** Keys of {@link ClientConfig}. */
export const clientProgram = defineProgram({ server, ...tokenFields }, (values): ClientConfig => {
  assertOneToken(values);
  return values;
});
