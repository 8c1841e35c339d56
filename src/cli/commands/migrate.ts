import { Command } from "commander";
import { migrateProgram } from "../../config/programs/migrate-config.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const examples = `
Examples:
  $ evenkeel migrate --database-url postgres://evenkeel:secret@localhost/evenkeel
  $ EVENKEEL_DATABASE_URL=postgres://... evenkeel migrate
`;

/** `evenkeel migrate` */
export function createMigrateCommand(context: CliContext): Command {
  const command = new Command("migrate").summary("bring the database to this version's schema");
  command
    .description("Apply the migrations that the database lacks. Safe to repeat, and to run twice at once.")
    .addHelpText("after", examples);
  return addConfigOptions(command, migrateProgram).action(async () => {
    const { databaseUrl } = configOf(migrateProgram, command, context);
    const { migrate } = await import("../../store/postgres/migrate.ts");
    const applied = await migrate(databaseUrl);
    const lines = applied.map((name) => `applied ${name}\n`).join("");
    context.print(lines === "" ? "The database is up to date.\n" : lines);
  });
}
