import { Command } from "commander";
import { createAdminCommand } from "./commands/admin.ts";
import { createBackendCommand } from "./commands/backend.ts";
import { createClusterCommand } from "./commands/cluster.ts";
import { createClustersCommand } from "./commands/clusters.ts";
import { createDevCommand } from "./commands/dev.ts";
import { createDlqCommand } from "./commands/dlq.ts";
import { createIngesterCommand } from "./commands/ingester.ts";
import { createMigrateCommand } from "./commands/migrate.ts";
import { createObjectCommand } from "./commands/object.ts";
import { createObjectsCommand } from "./commands/objects.ts";
import { createAgentCommand } from "./commands/programs.ts";
import { createReconcileCommand } from "./commands/reconcile.ts";
import { createRunCommand } from "./commands/run.ts";
import { createRunsCommand } from "./commands/runs.ts";
import { createServerCommand } from "./commands/server.ts";
import { createTokenCommand } from "./commands/token.ts";
import type { CliContext } from "./context.ts";

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
