import { Command } from "commander";
import { createAdminTopicsCommand } from "./admin-topics.ts";
import type { CliContext } from "./cli-context.ts";

/** `evenkeel admin ...` */
export function createAdminCommand(context: CliContext): Command {
  return new Command("admin")
    .summary("prepare what the programs need")
    .description("Prepare what the programs need.")
    .addCommand(createAdminTopicsCommand(context));
}
