import type pg from "pg";
import { withClient } from "../postgres/with-client.ts";

/** Rows of one cluster, read and edited with SQL, past the ingester and its rule. */
export interface HandOnRows {
  /** Runs a statement; `$1` is the name of the cluster, and texts are the parameters after it. */
  sql(statement: string, ...parameters: readonly string[]): Promise<readonly Record<string, unknown>[]>;
  /** Runs statements without parameters, such as the definition of a trigger. */
  script(statements: string): Promise<void>;
  /** Returns `data.value` of a ConfigMap's row, or `undefined` if there is no row. */
  valueOf(namespace: string, name: string): Promise<unknown>;
}

/** Opens a connection for each statement, so that none outlives a test. */
export function createHandOnRows(databaseUrl: () => string, cluster: string): HandOnRows {
  const connect = <T>(use: (client: pg.Client) => Promise<T>): Promise<T> =>
    withClient({ connectionString: databaseUrl() }, use);
  const sql: HandOnRows["sql"] = (statement, ...parameters) =>
    connect(async (client) => (await client.query(statement, [cluster, ...parameters])).rows);
  return {
    sql,
    async script(statements) {
      await connect((client) => client.query(statements));
    },
    async valueOf(namespace, name) {
      const [row] = await sql(
        `SELECT content #>> '{data,value}' AS value FROM kubernetes_object WHERE cluster = $1
         AND resource = 'configmaps' AND state = 'present' AND namespace = $2 AND name = $3`,
        namespace,
        name,
      );
      return row?.["value"];
    },
  };
}

/** Returns the number of rows of an account, by table, that contain a text, such as the name of another account. */
export async function countRowsNaming(
  databaseUrl: string,
  account: string,
  text: string,
): Promise<Record<string, number>> {
  return await withClient({ connectionString: databaseUrl }, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      "SELECT DISTINCT table_name AS name FROM information_schema.columns WHERE column_name = 'account'",
    );
    const counts: Record<string, number> = {};
    for (const { name } of tables) {
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM ${name} t WHERE t.account = $1 AND t::text LIKE '%' || $2 || '%'`,
        [account, text],
      );
      if (rows[0] !== undefined && rows[0].count > 0) {
        counts[name] = rows[0].count;
      }
    }
    return counts;
  });
}
