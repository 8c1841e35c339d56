import { Command } from "commander";
import { addClientOptions, toClientCall } from "../client-command.ts";
import type { CliContext } from "../context.ts";
import { createLimitOption } from "../options.ts";
import { printRun } from "../output/print-run.ts";

const id = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77";

/** `evenkeel run ID` */
export function createRunCommand(context: CliContext): Command {
  const command = new Command("run").summary("show a reconciliation run and what it repaired");
  command
    .description(
      "Show a reconciliation run: its kinds, and object by object what it found wrong and repaired.",
    )
    .argument("<id>", 'identity of the run, from "evenkeel runs"')
    .addOption(createLimitOption(100))
    .addHelpText("after", `\nExamples:\n  $ evenkeel run ${id}\n  $ evenkeel run ${id} --output json\n`);
  return addClientOptions(command).action(async (runId: string, { limit }: { limit: number }) => {
    const call = await toClientCall(command, context);
    const { run } = await call.client.getReconciliationRun({ id: runId }, { signal: context.signal });
    if (run !== undefined) {
      await printRun(context, call, run, limit);
    }
  });
}
