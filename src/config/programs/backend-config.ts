import { type BusConfig, busFields, toBusConfig } from "../fields/bus.ts";
import { defineProgram } from "../program.ts";
import { type ServerConfig, serverProgram } from "./server.ts";

/** What `evenkeel backend` runs with: as a server, but over a bus that others share. */
export interface BackendConfig extends ServerConfig {
  readonly bus: BusConfig;
}

/** Keys of {@link BackendConfig}. */
export const backendProgram = defineProgram(
  { ...serverProgram.fields, ...busFields },
  (values): BackendConfig => ({ ...serverProgram.toConfig(values), bus: toBusConfig(values) }),
);
