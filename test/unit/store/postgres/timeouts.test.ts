import { expect, it } from "vitest";
import { toBegin } from "../../../../src/store/postgres/timeouts.ts";

it("a transaction begins with limits that end with it, whatever the defaults of the database are", () => {
  expect(toBegin({ lockMs: 1, idleMs: 2, statementMs: 3, queryMs: 4 }).split("; ")).toEqual([
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "SET LOCAL lock_timeout = '1ms'",
    "SET LOCAL idle_in_transaction_session_timeout = '2ms'",
    "SET LOCAL statement_timeout = '3ms'",
  ]);
});
