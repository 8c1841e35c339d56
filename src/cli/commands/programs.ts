import { Command } from "commander";
import type { Fields, Program } from "../../config/field.ts";
import { migrateProgram } from "../../config/programs/admin.ts";
import { agentProgram } from "../../config/programs/agent.ts";
import { devProgram } from "../../config/programs/dev.ts";
import { ingesterProgram } from "../../config/programs/ingester.ts";
import { backendProgram, serverProgram } from "../../config/programs/server.ts";
import type { CliContext } from "../context.ts";
import { addConfigOptions, configOf } from "../options.ts";

/** Commands that only run a program with its configuration, in the order of `--help`. */
const PROGRAMS = [
  define({
    name: "dev",
    summary: "run everything in one process, to try it",
    description:
      "Run server, agent and an embedded Postgres in one process, with a simulated cluster or the one of a " +
      "kubeconfig.",
    examples: [
      "evenkeel dev",
      "evenkeel dev --kubeconfig ~/.kube/config --no-drift",
      "evenkeel dev --reconcile-interval 30s --port 7171",
    ],
    program: devProgram,
    run: ({ programs, signal }, config) => untilStopped(signal, programs.runDev(signal, config)),
  }),
  define({
    name: "server",
    summary: "run backend and ingester in one process",
    description:
      "Run backend and ingester in one process. Agents and clients connect to one port, by Connect, " +
      "gRPC or gRPC-Web.",
    examples: [
      "evenkeel server --database-url postgres://evenkeel:secret@localhost/evenkeel --insecure-no-auth",
      "evenkeel server --host 0.0.0.0 --auth-public-keys tokens.key.pub",
      "evenkeel server --config server.yaml --port 7171",
    ],
    program: serverProgram,
    run: ({ programs, signal }, config) => untilStopped(signal, programs.runServer(signal, config)),
  }),
  define({
    name: "backend",
    summary: "run a backend, which agents and clients connect to",
    description:
      "Run a backend: it keeps sessions with agents, publishes their messages to Pulsar, and serves " +
      "FleetService. Several can run; an agent may connect to any.",
    examples: [
      "evenkeel backend --database-url postgres://evenkeel@db/evenkeel --bus-url ws://pulsar:8080 \\\n" +
        "      --auth-public-keys tokens.key.pub --host 0.0.0.0",
      "evenkeel backend --config backend.yaml --probe-port 9090",
    ],
    program: backendProgram,
    run: ({ programs, signal }, config) => untilStopped(signal, programs.runBackend(signal, config)),
  }),
  define({
    name: "ingester",
    summary: "run an ingester, which writes events to Postgres",
    description:
      "Run an ingester: it applies events from Pulsar to Postgres, and sends inventories for runs. " +
      "Several can run; they share the clusters.",
    examples: [
      "evenkeel ingester --database-url postgres://evenkeel@db/evenkeel --bus-url ws://pulsar:8080",
      "evenkeel ingester --config ingester.yaml --probe-port 9090",
    ],
    program: ingesterProgram,
    run: ({ programs, signal }, config) => untilStopped(signal, programs.runIngester(signal, config)),
  }),
  define({
    name: "agent",
    summary: "run the agent of a cluster",
    description: "Stream the objects of a cluster to a server, and compare them with Postgres in runs.",
    examples: [
      "evenkeel agent --cluster prod-1",
      "evenkeel agent --cluster prod-1 --server https://evenkeel.example --token-file prod-1.token",
      "evenkeel agent --cluster prod-1 --resources pods,deployments.apps --namespaces shop,search",
    ],
    program: agentProgram,
    run: ({ programs, signal }, config) => programs.runAgent(signal, config),
  }),
  define({
    name: "migrate",
    summary: "migrate the database to the schema of this version",
    description: "Apply the missing migrations to the database. Safe to repeat and to run concurrently.",
    examples: ["evenkeel migrate --database-url postgres://evenkeel:secret@localhost/evenkeel"],
    program: migrateProgram,
    run: async ({ signal, print, printError }, { databaseUrl }) => {
      const { migrate } = await import("../../store/postgres/migrate.ts");
      const onWait = (reason: string): void => printError(`${reason}\n`);
      const applied = await migrate(databaseUrl, undefined, { signal, onWait });
      const lines = applied.map((name) => `applied ${name}\n`).join("");
      print(lines === "" ? "The database is up to date.\n" : lines);
    },
  }),
];

/** Waits for the end of a program. If it is stopped while it starts, it has ended in order too. */
async function untilStopped(signal: AbortSignal, running: Promise<void>): Promise<void> {
  try {
    await running;
  } catch (error) {
    if (error !== signal.reason) {
      throw error;
    }
  }
}

/** Creates the commands that run a program. */
export function createProgramCommands(context: CliContext): Command[] {
  return PROGRAMS.map((create) => create(context));
}

interface ProgramCommand<F extends Fields, Config> {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly program: Program<F, Config>;
  readonly run: (context: CliContext, config: Config) => Promise<void>;
}

function define<F extends Fields, Config>({
  program,
  run,
  ...texts
}: ProgramCommand<F, Config>): (context: CliContext) => Command {
  return (context) => {
    const command = new Command(texts.name)
      .summary(texts.summary)
      .description(texts.description)
      .addHelpText("after", ["", "Examples:", ...texts.examples.map((line) => `  $ ${line}`), ""].join("\n"));
    return addConfigOptions(command, program).action(() => run(context, configOf(program, command, context)));
  };
}
