import { readFileSync } from "node:fs";
import pg from "pg";

/**
 * Returns the process ID of the Postgres server, whose children serve its connections; undefined if it runs on another
 * machine.
 */
export async function findPostmaster(databaseUrl: string): Promise<number | undefined> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number; name: string }>(
      "SELECT pg_backend_pid() AS pid, current_database() AS name",
    );
    const [{ pid, name } = { pid: 0, name: "" }] = rows;
    // The title of the process has the name of the database.
    if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(name)) {
      return undefined;
    }
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return undefined;
  } finally {
    await client.end();
  }
}
