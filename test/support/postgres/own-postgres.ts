import { afterAll, beforeAll, describe } from "vitest";
import { findPostgresBinaries } from "../../../deploy/local/components/postgres-binaries.ts";
import { type OwnPostgres, startOwnPostgres } from "../../../deploy/local/components/postgres-server.ts";
import { createReaper, type Reaper } from "../../../deploy/local/components/reaper.ts";
import { migrate } from "../../../src/store/postgres/migrate.ts";

/**
 * `describe` for tests that stop and start Postgres: a server of their own, with all migrations. Where none can be
 * started they are skipped, and the name says why.
 */
export function describeWithOwnPostgres(name: string, body: (postgres: () => OwnPostgres) => void): void {
  const binaries = findPostgresBinaries();
  let postgres: OwnPostgres | undefined;
  const get = (): OwnPostgres => {
    if (postgres === undefined) {
      throw new Error("the server is there once the tests run: ask for it inside them or their hooks");
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
    }, 120_000);
    afterAll(async () => {
      await postgres?.stop();
      await reaper?.[Symbol.asyncDispose]();
    });
    body(get);
  });
}
