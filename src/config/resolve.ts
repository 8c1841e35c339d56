import type { Fields, Program } from "./field.ts";
import { type ConfigSources, loadConfig } from "./load.ts";
import { adminClusterProgram, adminTopicsProgram, dlqProgram, migrateProgram } from "./programs/admin.ts";
import { agentProgram } from "./programs/agent.ts";
import { clientProgram } from "./programs/client.ts";
import { devProgram } from "./programs/dev.ts";
import { ingesterProgram } from "./programs/ingester.ts";
import { backendProgram, serverProgram } from "./programs/server.ts";

const programs = [
  adminClusterProgram,
  adminTopicsProgram,
  agentProgram,
  backendProgram,
  clientProgram,
  devProgram,
  dlqProgram,
  ingesterProgram,
  migrateProgram,
  serverProgram,
];

/**
 * The configuration of a program, from flags, environment and file.
 *
 * @throws ConfigError that lists all problems.
 */
export function resolveConfig<F extends Fields, Config>(
  { fields, toConfig }: Program<F, Config>,
  sources: ConfigSources,
): Config {
  const knownKeys = programs.flatMap((program) => Object.keys(program.fields));
  return toConfig(loadConfig(fields, knownKeys, sources));
}
