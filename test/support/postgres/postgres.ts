import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import {
  type PostgresServer,
  query,
  withDatabase,
} from "../../../deploy/local/components/postgres-server.ts";
import { provision, provisions } from "../vitest/provided.ts";

/** A database with all migrations and no rows; disposal drops it despite open connections. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
}

/** Copies the run's template database in about 50 ms. Starts Postgres on first use. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { adminUrl, template } = await provision<Pick<PostgresServer, "adminUrl" | "template">>("/postgres");
  const name = `evenkeel_${randomUUID().replaceAll("-", "")}`;
  await query(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return {
    url: withDatabase(adminUrl, name),
    [Symbol.asyncDispose]: () => query(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/**
 * `describe` for tests of a real Postgres, which share one new database. Without Postgres they are skipped,
 * and the name has the reason.
 */
export function describeWithPostgres(name: string, body: (database: { readonly url: string }) => void): void {
  const { postgresMissing } = provisions();
  if (postgresMissing !== undefined) {
    describe.skip(`${name} (skipped: ${postgresMissing})`, () => body({ url: "" }));
    return;
  }
  describe(name, () => {
    let database: TestDatabase | undefined;
    beforeAll(async () => {
      database = await createTestDatabase();
    });
    afterAll(async () => {
      await database?.[Symbol.asyncDispose]();
    });
    body({
      get url() {
        if (database === undefined) {
          throw new Error(
            "the database is there once the tests run: read its url inside them or their hooks",
          );
        }
        return database.url;
      },
    });
  });
}
