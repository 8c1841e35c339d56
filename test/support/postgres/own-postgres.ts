import { afterAll, beforeAll, describe } from "vitest";
import { findPostgresBinaries } from "../../../deploy/local/components/postgres-binaries.ts";
import { type OwnPostgres, startOwnPostgres } from "../../../deploy/local/components/postgres-server.ts";
import { createReaper, type Reaper } from "../../../deploy/local/components/reaper.ts";
import { migrate } from "../../../src/store/postgres/migrate.ts";

/**
 * `describe` for tests that stop and start their own Postgres server, with all migrations. Without Postgres
 * they are skipped, and the name has the reason.
 */
export function describeWithOwnPostgres(name: string, body: (postgres: () => OwnPostgres) => void): void {
  const binaries = findPostgresBinaries();
  let postgres: OwnPostgres | undefined;
  const get = (): OwnPostgres => {
    if (postgres === undefined) {
      throw new Error("Postgres: not available while tests are collected; call it inside a test or a hook");
    }
    return postgres;
  };
  if ("missing" in binaries) {
    describe.skip(`${name} (skipped: ${binaries.missing})`, () => body(get));
    return;
  }
  describe(name, () => {
    let reaper: Reaper | undefined;
    beforeAll(async () => {
      reaper = createReaper();
      postgres = await startOwnPostgres(binaries, reaper);
      await migrate(postgres.url);
    });
    afterAll(async () => {
      await postgres?.stop();
      await reaper?.[Symbol.asyncDispose]();
    });
    body(get);
  });
}
