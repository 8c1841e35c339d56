import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import {
  type DeletionSet,
  GetDeletionSetResponseSchema,
  ListDeletionSetsResponseSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { CliContext } from "../context.ts";
import { addClientOptions, type ClientCall, readAllPages, toClientCall } from "../fleet-client.ts";
import { createLimitOption } from "../options.ts";
import { countDeletions, formatDeletionSet, formatDeletionSets } from "../output/deletion-set.ts";
import { formatMessage } from "../output/message.ts";

/** `evenkeel deletions` */
export function createDeletionsCommand(context: CliContext): Command {
  return new Command("deletions")
    .summary("show and decide about deletions that are withheld")
    .description(
      "Deletions of many rows at once are withheld if they derive from the list of a run or from a narrower " +
        "configuration of the agent. They wait in a deletion set until a later run agrees, or until you decide.",
    )
    .addCommand(createListCommand(context))
    .addCommand(createShowCommand(context))
    .addCommand(createApproveCommand(context))
    .addCommand(createRejectCommand(context));
}

function createListCommand(context: CliContext): Command {
  const command = new Command("list").summary("list deletion sets");
  command
    .description("List deletion sets that wait for a decision or were rejected, newest first.")
    .argument("[cluster]", "Name of a cluster; unset: all clusters", "")
    .option("--all", "List sets that were applied or superseded too", false)
    .addOption(createLimitOption(100))
    .addHelpText(
      "after",
      "\nExamples:\n  $ evenkeel deletions list\n  $ evenkeel deletions list dev --all\n",
    );
  return addClientOptions(command).action(
    async (cluster: string, { all, limit }: { all: boolean; limit: number }) => {
      const { client, format } = await toClientCall(command, context);
      const clusters = cluster === "" ? [] : [cluster];
      const deletionSets = await readAllPages(limit, async (pageSize, pageToken) => {
        const request = { clusters, includeClosed: all, pageSize, pageToken };
        const page = await client.listDeletionSets(request, { signal: context.signal });
        return { items: page.deletionSets, nextPageToken: page.nextPageToken };
      });
      const response = create(ListDeletionSetsResponseSchema, { deletionSets });
      context.print(
        format === "table"
          ? formatDeletionSets(context.clock.now(), deletionSets)
          : formatMessage(ListDeletionSetsResponseSchema, response, format),
      );
    },
  );
}

function createShowCommand(context: CliContext): Command {
  const command = new Command("show").summary("show a deletion set and its first objects");
  command
    .description("Show what a deletion set would delete, and why.")
    .argument("<id>", 'ID of the set, as printed by "evenkeel deletions list"')
    .addHelpText("after", `\nExamples:\n  $ evenkeel deletions show ${EXAMPLE_ID}\n`);
  return addClientOptions(command).action(async (id: string) => {
    const call = await toClientCall(command, context);
    printSet(context, call, await getSet(context, call, id));
  });
}

function createApproveCommand(context: CliContext): Command {
  const command = new Command("approve").summary("delete the rows of a deletion set");
  command
    .description(
      "Delete the rows of a deletion set, except those whose objects were observed since. A run then verifies the " +
        "result. It needs a token of the account, not one of a single cluster.",
    )
    .argument("<id>", 'ID of the set, as printed by "evenkeel deletions list"')
    .addHelpText("after", `\nExamples:\n  $ evenkeel deletions approve ${EXAMPLE_ID}\n`);
  return addClientOptions(command).action(async (id: string) => {
    const call = await toClientCall(command, context);
    const { signal } = context;
    const maxDeletions = countDeletions(await getSet(context, call, id));
    const { deletionSet } = await call.client.approveDeletionSet({ id, maxDeletions }, { signal });
    printSet(context, call, deletionSet);
  });
}

function createRejectCommand(context: CliContext): Command {
  const command = new Command("reject").summary("keep the rows of a deletion set");
  command
    .description(
      "Keep the rows of a deletion set. Their resource types are not verified as long as the cluster lacks the " +
        "objects. The set waits for a decision again when it grows.",
    )
    .argument("<id>", 'ID of the set, as printed by "evenkeel deletions list"')
    .addHelpText("after", `\nExamples:\n  $ evenkeel deletions reject ${EXAMPLE_ID}\n`);
  return addClientOptions(command).action(async (id: string) => {
    const call = await toClientCall(command, context);
    const { deletionSet } = await call.client.rejectDeletionSet({ id }, { signal: context.signal });
    printSet(context, call, deletionSet);
  });
}

const EXAMPLE_ID = "5f0d9a52-7c1e-8b34-8d0a-4be1c6f2a913";

async function getSet({ signal }: CliContext, { client }: ClientCall, id: string): Promise<DeletionSet> {
  const { deletionSet } = await client.getDeletionSet({ id }, { signal });
  if (deletionSet === undefined) {
    throw new TerminalError("the server returned no deletion set");
  }
  return deletionSet;
}

function printSet(
  { clock, print }: CliContext,
  { format }: ClientCall,
  deletionSet: DeletionSet | undefined,
): void {
  const response = create(GetDeletionSetResponseSchema, deletionSet === undefined ? {} : { deletionSet });
  if (format !== "table") {
    print(formatMessage(GetDeletionSetResponseSchema, response, format));
  } else if (deletionSet !== undefined) {
    print(formatDeletionSet(clock.now(), deletionSet));
  }
}
