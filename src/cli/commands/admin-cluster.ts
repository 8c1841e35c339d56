import { Command, InvalidArgumentError } from "commander";
import { adminClusterProgram } from "../../config/programs/admin.ts";
import { isClusterName } from "../../domain/limits.ts";
import type { ClusterAdmin } from "../../store/cluster-admin.ts";
import type { CliContext } from "../context.ts";
import { addConfigOptions, configOf } from "../options.ts";

const removeExamples = `
The command deletes rows in steps; repeat it after an interruption. An agent that still runs is refused. Stop it before
--forget, or it connects as a new cluster.

Examples:
  $ evenkeel admin cluster remove prod-1
  $ evenkeel admin cluster remove prod-1 --forget --yes
`;

const renameExamples = `
Stop the agent first, and start it with the new name afterwards.

Examples:
  $ evenkeel admin cluster rename prod-1 prod-eu-1
  $ evenkeel admin cluster rename prod-1 prod-eu-1 --account shop
`;

const rebindExamples = `
For a cluster that was built again under its name. The rows stay until the run on connect of its agent has replaced
them. The uid is that of the namespace kube-system:
kubectl get namespace kube-system -o jsonpath={.metadata.uid}

Examples:
  $ evenkeel admin cluster rebind prod-1 --uid 0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77
`;

/** `evenkeel admin cluster ...` */
export function createAdminClusterCommand(context: CliContext): Command {
  return new Command("cluster")
    .summary("remove, rename or rebind a cluster")
    .description(
      "Remove, rename or rebind a cluster. The commands change Postgres directly, while servers run.",
    )
    .addCommand(createRemoveCommand(context))
    .addCommand(createRenameCommand(context))
    .addCommand(createRebindCommand(context));
}

interface ChangeFlags {
  readonly yes?: true;
}

/** `evenkeel admin cluster remove` */
function createRemoveCommand(context: CliContext): Command {
  const command = new Command("remove").summary("remove a cluster with all of its rows");
  command
    .description(
      "Remove a cluster with all of its rows. Its name then refuses agents until --forget frees it.",
    )
    .argument("<name>", "Name of the cluster")
    .option("--forget", "Also free the name, for another cluster")
    .option("--yes", "Do not ask")
    .addHelpText("after", removeExamples);
  return addConfigOptions(command, adminClusterProgram).action(
    async (name: string, flags: ChangeFlags & { readonly forget?: true }) => {
      await change(
        context,
        command,
        flags,
        `Remove cluster ${name} with all of its rows?`,
        async (admin, account) => {
          const forget = flags.forget === true;
          const { objects, resourceTypes, runs } = await admin.remove(context.signal, account, name, forget);
          const next = forget
            ? "Its name is free."
            : `Its name refuses agents. To free it: evenkeel admin cluster remove ${name} --forget`;
          return (
            `Removed cluster ${name}: ${objects} rows of objects, ${resourceTypes} resource types, ${runs} runs.\n` +
            `${next}\n`
          );
        },
      );
    },
  );
}

/** `evenkeel admin cluster rename` */
function createRenameCommand(context: CliContext): Command {
  const command = new Command("rename").summary("give a cluster another name");
  command
    .description("Give a cluster another name. Its rows, runs and verified times stay.")
    .argument("<name>", "Name of the cluster")
    .argument("<new-name>", "New name, a DNS subdomain such as prod-1", parseClusterName)
    .option("--yes", "Do not ask")
    .addHelpText("after", renameExamples);
  return addConfigOptions(command, adminClusterProgram).action(
    async (name: string, newName: string, flags: ChangeFlags) => {
      await change(
        context,
        command,
        flags,
        `Rename cluster ${name} to ${newName}?`,
        async (admin, account) => {
          const objects = await admin.rename(context.signal, account, name, newName);
          return (
            `Renamed cluster ${name} to ${newName}: ${objects} rows of objects.\n` +
            `Start its agent with --cluster ${newName}.\n`
          );
        },
      );
    },
  );
}

/** `evenkeel admin cluster rebind` */
function createRebindCommand(context: CliContext): Command {
  const command = new Command("rebind").summary("bind a cluster to another kube-system uid");
  command
    .description(
      "Bind a cluster to another kube-system uid, and start its watermarks and verified times again.",
    )
    .argument("<name>", "Name of the cluster")
    .requiredOption("--uid <uid>", "Uid of the new cluster's namespace kube-system", parseUid)
    .option("--yes", "Do not ask")
    .addHelpText("after", rebindExamples);
  return addConfigOptions(command, adminClusterProgram).action(
    async (name: string, flags: ChangeFlags & { readonly uid: string }) => {
      await change(
        context,
        command,
        flags,
        `Bind cluster ${name} to uid ${flags.uid}?`,
        async (admin, account) => {
          await admin.rebind(context.signal, account, name, flags.uid);
          return (
            `Bound cluster ${name} to uid ${flags.uid}.\n` +
            "Its rows are not verified until the run on connect of its agent.\n"
          );
        },
      );
    },
  );
}

/** Asks for consent at a terminal, makes the change, and prints its result. */
async function change(
  context: CliContext,
  command: Command,
  { yes }: ChangeFlags,
  question: string,
  apply: (admin: ClusterAdmin, account: string) => Promise<string>,
): Promise<void> {
  const { databaseUrl, account } = configOf(adminClusterProgram, command, context);
  if (yes !== true && context.ask !== undefined) {
    const answer = await context.ask(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) {
      context.printError("Nothing changed.\n");
      context.setExitCode(1);
      return;
    }
  }
  const { createDatabase } = await import("../../store/postgres/database.ts");
  const { createPgClusterAdmin } = await import("../../store/postgres/pg-cluster-admin.ts");
  // A rename updates all rows in one statement, and an ingester may hold the lock for some seconds.
  const timeouts = { lockMs: 30_000, statementMs: 0, queryMs: 0 };
  await using database = createDatabase({ url: databaseUrl, maxConnections: 1, timeouts });
  context.print(await apply(createPgClusterAdmin(database), account));
}

function parseClusterName(text: string): string {
  if (!isClusterName(text)) {
    throw new InvalidArgumentError(`expected a DNS subdomain such as prod-1, found "${text}"`);
  }
  return text;
}

function parseUid(text: string): string {
  if (text.length === 0 || text.length > 128) {
    throw new InvalidArgumentError(`expected 1 to 128 characters, found ${text.length}`);
  }
  return text;
}
