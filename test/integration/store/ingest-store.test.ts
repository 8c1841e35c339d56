import { afterAll, beforeAll, describe } from "vitest";
import {
  type EmbeddedPostgres,
  openEmbeddedPostgres,
} from "../../../src/dev/embedded-postgres/embedded-postgres.ts";
import { migrate } from "../../../src/store/postgres/migrate.ts";
import { describeIngestStore } from "../../contract/ingest-store/ingest-store.ts";

describe("on the embedded Postgres", () => {
  let postgres: EmbeddedPostgres | undefined;
  beforeAll(async () => {
    postgres = await openEmbeddedPostgres();
    await migrate(postgres.url);
  });
  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]();
  });
  describeIngestStore("PGlite", {
    get url() {
      return postgres?.url ?? "";
    },
  });
});
