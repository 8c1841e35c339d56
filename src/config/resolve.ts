import type { Fields } from "./field.ts";
import { type ConfigSources, loadConfig } from "./load.ts";
import type { Program } from "./program.ts";
import { adminTopicsProgram } from "./programs/admin.ts";
import { agentProgram } from "./programs/agent-config.ts";
import { backendProgram } from "./programs/backend-config.ts";
import { clientProgram } from "./programs/client.ts";
import { devProgram } from "./programs/dev.ts";
import { dlqProgram } from "./programs/dlq-config.ts";
import { ingesterProgram } from "./programs/ingester.ts";
import { migrateProgram } from "./programs/migrate-config.ts";
import { serverProgram } from "./programs/server.ts";

const programs = [
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
 * @throws ConfigError that lists everything that is wrong.
 */
export function resolveConfig<F extends Fields, Config>(
  { fields, toConfig }: Program<F, Config>,
  sources: ConfigSources,
): Config {
  const knownKeys = programs.flatMap((program) => Object.keys(program.fields));
  return toConfig(loadConfig(fields, knownKeys, sources));
}
