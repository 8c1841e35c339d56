import { describe, expect, it } from "vitest";
import { RetryableError } from "../../../../src/lib/errors.ts";
import type { Database } from "../../../../src/store/postgres/database.ts";
import { scrub } from "../../../../src/store/postgres/scrub.ts";
import { PODS } from "../../../support/store/messages.ts";

const { signal } = new AbortController();
const cluster = { account: "acme", cluster: "c1" };
const limits = { maxRows: 10, maxBytes: 1_000 };

/** Scrubs a database whose queries fail with this SQLSTATE. */
function scrubFailing(code: string) {
  const pool = { query: () => Promise.reject(Object.assign(new Error("invalid page in block 7"), { code })) };
  return scrub(signal, { pool } as unknown as Database, cluster, PODS, limits);
}

describe("a scrub", () => {
  it("ends at a row that Postgres cannot read, without an error that would keep a run from its answer", async () => {
    expect(await scrubFailing("XX001")).toEqual({
      rows: 0,
      damaged: [],
      failure: "Postgres: statement refused: invalid page in block 7 (SQLSTATE XX001)",
    });
  });

  it("is retried while the database is away", async () => {
    await expect(scrubFailing("57P01")).rejects.toThrow(RetryableError);
  });
});
