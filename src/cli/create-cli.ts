import { Command } from "commander";
import { createAdminCommand } from "./admin.ts";
import { createAgentCommand } from "./agent.ts";
import { createBackendCommand } from "./backend.ts";
import type { CliContext } from "./cli-context.ts";
import { createClusterCommand } from "./cluster.ts";
import { createClustersCommand } from "./clusters.ts";
import { createDevCommand } from "./dev.ts";
import { createDlqCommand } from "./dlq.ts";
import { createIngesterCommand } from "./ingester.ts";
import { createMigrateCommand } from "./migrate.ts";
import { createObjectCommand } from "./object.ts";
import { createObjectsCommand } from "./objects.ts";
import { createReconcileCommand } from "./reconcile.ts";
import { createRunCommand } from "./run.ts";
import { createRunsCommand } from "./runs.ts";
import { createServerCommand } from "./server.ts";
import { createTokenCommand } from "./token.ts";

const description =
  "A central copy of many Kubernetes clusters' objects in Postgres, kept true by reconciliation.";

const examples = `
Examples:
  $ evenkeel dev                  everything on this machine, with a simulated cluster
  $ evenkeel clusters             what is connected, and since when it is verified
  $ evenkeel reconcile demo       compare now, and show what was wrong

Every flag has a variable of the environment, named in its help, and a key in the file that --config names.
`;

/** The command line. Errors of its use are thrown as commander's `CommanderError`. */
export function createCli(context: CliContext, version: string): Command {
  const cli = new Command("evenkeel")
    .description(description)
    .version(version)
    .addHelpText("after", examples);
  const commands = [
    createDevCommand(context),
    createServerCommand(context),
    createBackendCommand(context),
    createIngesterCommand(context),
    createAgentCommand(context),
    createMigrateCommand(context),
    createTokenCommand(context),
    createAdminCommand(context),
    createDlqCommand(context),
    createClustersCommand(context),
    createClusterCommand(context),
    createObjectsCommand(context),
    createObjectCommand(context),
    createRunsCommand(context),
    createRunCommand(context),
    createReconcileCommand(context),
  ];
  for (const command of commands) {
    cli.addCommand(command);
  }
  for (const command of withSubcommands(cli)) {
    command.exitOverride().showHelpAfterError("See --help.");
    command.configureOutput({ writeOut: context.print, writeErr: context.tell });
  }
  return cli;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
