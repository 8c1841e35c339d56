import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { createAdminTopicsCommand } from "./admin-topics.ts";

/** `evenkeel admin ...` */
export function createAdminCommand(context: CliContext): Command {
  return new Command("admin")
    .summary("prepare what the programs need")
    .description("Prepare what the programs need.")
    .addCommand(createAdminTopicsCommand(context));
}
