import { Command } from "commander";
import { migrateProgram } from "../../config/programs/admin.ts";
import { agentProgram } from "../../config/programs/agent.ts";
import { devProgram } from "../../config/programs/dev.ts";
import { ingesterProgram } from "../../config/programs/ingester.ts";
import { backendProgram, serverProgram } from "../../config/programs/server.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const AGENT_EXAMPLES = `
Examples:
  $ evenkeel agent --cluster prod-1
  $ evenkeel agent --cluster prod-1 --server https://evenkeel.example --token-file /var/run/evenkeel/token
  $ evenkeel agent --cluster prod-1 --kinds v1/pods,apps/v1/deployments --namespaces shop
`;

/** `evenkeel agent` */
export function createAgentCommand(context: CliContext): Command {
  const command = new Command("agent").summary("run the agent of one cluster");
  command
    .description("Stream a cluster's objects to a server, and compare them with Postgres when asked.")
    .addHelpText("after", AGENT_EXAMPLES);
  return addConfigOptions(command, agentProgram).action(async () => {
    await context.programs.runAgent(context.signal, configOf(agentProgram, command, context));
  });
}

const BACKEND_EXAMPLES = `
Examples:
  $ evenkeel backend --database-url postgres://evenkeel@db/evenkeel --bus-url ws://pulsar:8080 \\
      --auth-public-keys tokens.key.pub --host 0.0.0.0
  $ evenkeel backend --config backend.yaml --probe-port 9090
`;

/** `evenkeel backend` */
export function createBackendCommand(context: CliContext): Command {
  const command = new Command("backend").summary("run a backend: agents connect to it, people ask it");
  command
    .description(
      "Run a backend: it holds agents' sessions, puts what they say on Pulsar, and answers FleetService. Run as many as there is need; agents may connect to any.",
    )
    .addHelpText("after", BACKEND_EXAMPLES);
  return addConfigOptions(command, backendProgram).action(async () => {
    await context.programs.runBackend(context.signal, configOf(backendProgram, command, context));
  });
}

const INGESTER_EXAMPLES = `
Examples:
  $ evenkeel ingester --database-url postgres://evenkeel@db/evenkeel --bus-url ws://pulsar:8080
  $ evenkeel ingester --config ingester.yaml --probe-port 9090
`;

/** `evenkeel ingester` */
export function createIngesterCommand(context: CliContext): Command {
  const command = new Command("ingester").summary("run an ingester: it writes to Postgres what is on Pulsar");
  command
    .description(
      "Run an ingester: it applies to Postgres what agents say, and answers what runs ask. Run as many as there is need; they share the clusters among them.",
    )
    .addHelpText("after", INGESTER_EXAMPLES);
  return addConfigOptions(command, ingesterProgram).action(async () => {
    await context.programs.runIngester(context.signal, configOf(ingesterProgram, command, context));
  });
}

const SERVER_EXAMPLES = `
Examples:
  $ evenkeel server --database-url postgres://evenkeel:secret@localhost/evenkeel --insecure-no-auth
  $ evenkeel server --host 0.0.0.0 --auth-public-keys /etc/evenkeel/tokens.pub
  $ evenkeel server --config server.yaml --port 7171
`;

/** `evenkeel server` */
export function createServerCommand(context: CliContext): Command {
  const command = new Command("server").summary("run the server: agents connect to it, people ask it");
  command
    .description(
      "Run backend and ingester in one process on one port, which speaks Connect, gRPC and gRPC-Web.",
    )
    .addHelpText("after", SERVER_EXAMPLES);
  return addConfigOptions(command, serverProgram).action(async () => {
    await context.programs.runServer(context.signal, configOf(serverProgram, command, context));
  });
}

const DEV_EXAMPLES = `
Examples:
  $ evenkeel dev
  $ evenkeel dev --kubeconfig ~/.kube/config --no-drift
  $ evenkeel dev --reconcile-interval 30s --port 7171
`;

/** `evenkeel dev` */
export function createDevCommand(context: CliContext): Command {
  const command = new Command("dev").summary("run everything in this process, to try it out");
  command
    .description(
      "Run server, agent and an embedded Postgres in one process, with a simulated cluster or the one of a kubeconfig.",
    )
    .addHelpText("after", DEV_EXAMPLES);
  return addConfigOptions(command, devProgram).action(async () => {
    await context.programs.runDev(context.signal, configOf(devProgram, command, context));
  });
}

const MIGRATE_EXAMPLES = `
Examples:
  $ evenkeel migrate --database-url postgres://evenkeel:secret@localhost/evenkeel
  $ EVENKEEL_DATABASE_URL=postgres://... evenkeel migrate
`;

/** `evenkeel migrate` */
export function createMigrateCommand(context: CliContext): Command {
  const command = new Command("migrate").summary("bring the database to this version's schema");
  command
    .description("Apply the migrations that the database lacks. Safe to repeat, and to run twice at once.")
    .addHelpText("after", MIGRATE_EXAMPLES);
  return addConfigOptions(command, migrateProgram).action(async () => {
    const { databaseUrl } = configOf(migrateProgram, command, context);
    const { migrate } = await import("../../store/postgres/migrate.ts");
    const applied = await migrate(databaseUrl);
    const lines = applied.map((name) => `applied ${name}\n`).join("");
    context.print(lines === "" ? "The database is up to date.\n" : lines);
  });
}
