import { readFileSync } from "node:fs";
import { toMessage } from "../../lib/errors.ts";
import { optional, type ValuesOf } from "../field.ts";
import { invalidConfig } from "../load.ts";
import { postgresUrl, text } from "../value-types.ts";

/** Keys of the database. */
export const databaseFields = {
  databaseUrl: optional<string>(
    postgresUrl,
    "URL of the Postgres database; with a password, prefer --database-url-file: flags show in the process list",
    { secret: true },
  ),
  databaseUrlFile: optional<string>(
    text("path", "a path"),
    "File with the URL of the Postgres database, read at the start",
  ),
};

/**
 * Returns the URL of the database; undefined if there is none.
 *
 * @throws ConfigError if both keys are set, or if the file has no URL
 */
export function findDatabaseUrl({
  databaseUrl,
  databaseUrlFile,
}: ValuesOf<typeof databaseFields>): string | undefined {
  if (databaseUrlFile === undefined) {
    return databaseUrl;
  }
  if (databaseUrl !== undefined) {
    throw invalidConfig("databaseUrl: set together with databaseUrlFile; remove one of them");
  }
  const url = readText(databaseUrlFile).trim();
  const problem = postgresUrl.explain?.(url);
  if (problem !== undefined) {
    throw invalidConfig(`databaseUrlFile: ${databaseUrlFile}: ${problem}`);
  }
  return url;
}

/**
 * Returns the URL of the database.
 *
 * @throws ConfigError as {@link findDatabaseUrl}, and if there is none
 */
export function toDatabaseUrl(values: ValuesOf<typeof databaseFields>): string {
  const url = findDatabaseUrl(values);
  if (url === undefined) {
    throw invalidConfig(
      "databaseUrl: required; set --database-url, EVENKEEL_DATABASE_URL, or databaseUrl in the --config file, " +
        "or name a file that contains it with databaseUrlFile",
    );
  }
  return url;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw invalidConfig(`databaseUrlFile: ${path}: cannot be read: ${toMessage(cause)}`);
  }
}
