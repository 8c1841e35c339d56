import { adminTopicsProgram } from "./admin-topics-config.ts";
import { agentProgram } from "./agent-config.ts";
import { backendProgram } from "./backend-config.ts";
import { clientProgram } from "./client-config.ts";
import { devProgram } from "./dev-config.ts";
import { dlqProgram } from "./dlq-config.ts";
import type { Fields } from "./field.ts";
import { ingesterProgram } from "./ingester-config.ts";
import { type ConfigSources, loadConfig } from "./load-config.ts";
import { migrateProgram } from "./migrate-config.ts";
import type { Program } from "./program.ts";
import { serverProgram } from "./server-config.ts";

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
