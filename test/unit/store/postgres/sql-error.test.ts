import { describe, expect, it, test } from "vitest";
import { ConflictError, RetryableError, TerminalError } from "../../../../src/lib/errors.ts";
import {
  isConnectionUseless,
  isLockTimeout,
  MEANINGS,
  PoisonError,
  QueryTimeoutError,
  StatementError,
  toStoreError,
} from "../../../../src/store/postgres/sql-error.ts";

/** Creates an error in the form of the driver. */
function driverError(code: string): Error {
  return Object.assign(new Error(`error ${code}`), { code, severity: "ERROR" });
}

describe("the meaning of an SQLSTATE", () => {
  it.each([
    ["connection failure", "08006"],
    ["too many connections", "53300"],
    ["disk full", "53100"],
    ["serialization failure", "40001"],
    ["deadlock", "40P01"],
    ["statement completion unknown", "40003"],
    ["lock not available", "55P03"],
    ["admin shutdown", "57P01"],
    ["crash shutdown", "57P02"],
    ["starting up", "57P03"],
    ["idle session timeout", "57P05"],
    ["statement timeout", "57014"],
    ["idle in transaction timeout", "25P03"],
    ["transaction timeout", "25P04"],
    ["the primary has become a standby", "25006"],
    ["wrong password", "28P01"],
    ["no such database", "3D000"],
    ["no such table: not migrated yet", "42P01"],
    ["no such column: not migrated yet", "42703"],
    ["no privilege", "42501"],
    ["an I/O error of the server's", "58030"],
  ])("%s is temporary (%s)", (_, code) => {
    expect(toStoreError(driverError(code))).toBeInstanceOf(RetryableError);
  });

  it.each([
    ["\\u0000 in jsonb", "22P05"],
    ["invalid JSON", "22P02"],
    ["invalid UTF-8", "22021"],
    ["number out of range", "22003"],
    ["check violation", "23514"],
    ["too large", "54000"],
    ["nested too deeply", "54001"],
  ])("%s cannot be stored (%s)", (_, code) => {
    const error = toStoreError(driverError(code));
    expect(error).toBeInstanceOf(PoisonError);
    expect(error.message).toContain(code);
  });

  it.each([
    ["a syntax error", "42601"],
    ["a unique violation", "23505"],
    ["not null violation", "23502"],
    ["an undefined function", "42883"],
    ["a prepared statement of another connection", "26000"],
    ["a damaged row", "XX001"],
    ["a trigger of others", "P0001"],
    ["a class of a later version", "ZZ000"],
  ])("%s is neither temporary nor a value that cannot be stored (%s)", (_, code) => {
    expect(toStoreError(driverError(code))).toBeInstanceOf(StatementError);
  });
});

test("the table has every class of SQLSTATEs", () => {
  // PostgreSQL 18, appendix A; class 00 is success.
  const classes =
    "01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58 " +
    "F0 HV P0 XX";
  const inTable = Object.keys(MEANINGS).filter((code) => code.length === 2);
  expect(inTable.toSorted()).toEqual(classes.split(" ").toSorted());
});

test("callers of the services learn nothing of the driver's text (L22)", () => {
  for (const code of ["28P01", "42501", "ECONNREFUSED", "57P01"]) {
    expect(toStoreError(driverError(code))).toMatchObject({
      message: expect.stringContaining(`error ${code}`),
      publicMessage: "the database is not available; try again",
    });
  }
});

describe("other errors", () => {
  it.each([
    [
      "nobody listens",
      Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" }),
    ],
    [
      "all addresses refuse the connection",
      Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" }),
    ],
    ["the connection broke", Object.assign(new Error("write EPIPE"), { code: "EPIPE" })],
    ["no route", Object.assign(new Error("connect ENETUNREACH 10.0.0.1:5432"), { code: "ENETUNREACH" })],
    ["no descriptor is free", Object.assign(new Error("connect EMFILE 10.0.0.1:5432"), { code: "EMFILE" })],
    ["the certificate is old", Object.assign(new Error("expired"), { code: "CERT_HAS_EXPIRED" })],
    ["a code of a later version of Node", Object.assign(new Error("new"), { code: "ERR_OF_A_LATER_NODE" })],
    ["TLS is refused", new Error("The server does not support SSL connections")],
    [
      "the password has no answer",
      new Error("SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature is missing"),
    ],
    ["it was terminated", new Error("Connection terminated unexpectedly")],
    ["the pool has no room", new Error("timeout exceeded when trying to connect")],
    ["Prisma did not reach it", Object.assign(new Error("Can't reach database server"), { code: "P1001" })],
    ["Prisma saw it close", Object.assign(new Error("Server has closed the connection."), { code: "P1017" })],
    ["the client is unusable", new Error("Client has encountered a connection error and is not queryable")],
  ])("no connection is temporary: %s", (_, error) => {
    expect(toStoreError(error)).toBeInstanceOf(RetryableError);
  });

  it.each([
    ["a retryable one", new RetryableError("later")],
    ["a terminal one", new ConflictError("another run is active")],
    ["a poisonous one", new PoisonError("no")],
    ["a fault", new TypeError("x is undefined")],
    ["a fault with a code of Node", Object.assign(new TypeError("bad"), { code: "ERR_INVALID_ARG_TYPE" })],
    ["an abort", new DOMException("stop", "AbortError")],
    ["an abort of Node's", Object.assign(new Error("stop"), { name: "AbortError", code: "ABORT_ERR" })],
  ])("of this project are returned unchanged: %s", (_, error) => {
    expect(toStoreError(error)).toBe(error);
  });

  it("of a query without an answer in time have their own class", () => {
    const error = toStoreError(new Error("Query read timeout"));
    expect(error).toBeInstanceOf(QueryTimeoutError);
    expect(error).toBeInstanceOf(RetryableError);
  });

  it("are wrapped if they are not an Error", () => {
    expect(toStoreError("text")).toEqual(new Error("text"));
    expect(toStoreError(undefined)).toBeInstanceOf(Error);
  });

  it.each([
    ["originalCode", { originalCode: "40001" }],
    ["below cause", { cause: { originalCode: "40001" } }],
    ["below meta", { code: "P2010", meta: { driverAdapterError: { cause: { originalCode: "40001" } } } }],
  ])("of Prisma have the driver's code: %s", (_, fields) => {
    expect(toStoreError(Object.assign(new Error("prisma"), fields))).toBeInstanceOf(RetryableError);
  });

  it.each([
    ["a temporary one", driverError("40001")],
    ["one of a value", driverError("22P05")],
    ["one of a statement", driverError("42601")],
    ["a query without an answer", new Error("Query read timeout")],
  ])("keep the original as their cause: %s", (_, cause) => {
    expect(toStoreError(cause).cause).toBe(cause);
  });

  it("are translated once, at whatever depth they are translated again", () => {
    const error = toStoreError(new Error("Connection terminated unexpectedly"));
    expect(toStoreError(error)).toBe(error);
  });

  it("that are their own cause have no code", () => {
    const error: Error & { cause?: unknown } = new Error("a circle");
    error.cause = error;
    expect(toStoreError(error)).toBe(error);
    expect(toStoreError(Object.assign(new Error("null"), { cause: null, meta: null }))).toBeInstanceOf(Error);
  });

  it("of a statement are not final: another schema or server may accept it", () => {
    expect(toStoreError(driverError("42601"))).not.toBeInstanceOf(TerminalError);
  });
});

it.each([
  ["a query without an answer in time", new Error("Query read timeout"), true],
  ["a primary that has become a standby", driverError("25006"), true],
  ["a deadlock", driverError("40P01"), false],
  ["a refused statement", driverError("42601"), false],
])("a connection can be used again after its error or not: %s", (_, error, isUseless) => {
  expect(isConnectionUseless(error)).toBe(isUseless);
});

it.each([
  ["lock_timeout", driverError("55P03"), true],
  ["the translated error of lock_timeout", toStoreError(driverError("55P03")), true],
  ["another lock error", driverError("40P01"), false],
  ["an error without code", new Error("lock"), false],
])("a lock was not available in time or not: %s", (_, error, isTimeout) => {
  expect(isLockTimeout(error)).toBe(isTimeout);
});
