import { describe, expect, it } from "vitest";
import { PublishRefusedError, PublishUnknownError } from "../../../src/bus/bus.ts";
import { type Disposition, toDisposition } from "../../../src/ingester/disposition.ts";
import { InvalidArgumentError, RetryableError, TerminalError } from "../../../src/lib/errors.ts";
import { PoisonError, StatementError, toStoreError } from "../../../src/store/postgres/sql-error.ts";

const UNKNOWN: Disposition = { type: "retry", unknownCode: "none" };

describe("toDisposition", () => {
  it.each<[string, unknown, Disposition]>([
    ["a temporary error", new RetryableError("gone"), { type: "retry" }],
    ["a refused publish", new PublishRefusedError("full"), { type: "retry" }],
    ["a publish without receipt", new PublishUnknownError("lost"), { type: "retry" }],
    ["a permanent error", new TerminalError("no body"), { type: "deadLetter", reason: "no body" }],
    [
      "an invalid message",
      new InvalidArgumentError([{ field: "kind", description: "is required" }]),
      { type: "deadLetter", reason: "kind: is required" },
    ],
    ["data that Postgres cannot store", new PoisonError("22P05"), { type: "deadLetter", reason: "22P05" }],
    [
      "a statement that Postgres refuses for an unknown reason",
      new StatementError("no such function", "42883"),
      { type: "retry", unknownCode: "42" },
    ],
    [
      "an error with an unknown code",
      Object.assign(new Error("new"), { code: "ERR_OF_A_LATER_NODE" }),
      { type: "retry", unknownCode: "ERR_OF_A_LATER_NODE" },
    ],
    ["an error without a code", new Error("anything"), UNKNOWN],
    ["a programming error", new TypeError("undefined"), UNKNOWN],
    ["a value that is not an Error", "a text", UNKNOWN],
    ["undefined", undefined, UNKNOWN],
  ])("%s", (_, error, expected) => {
    expect(toDisposition(error)).toEqual(expected);
  });
});

/** Errors of sockets, TLS and Node, by their code. */
const CODES_OF_NODE = [
  "ENETUNREACH",
  "EMFILE",
  "EADDRNOTAVAIL",
  "ENETDOWN",
  "EHOSTDOWN",
  "ECONNABORTED",
  "EPROTO",
  "EPIPE",
  "CERT_HAS_EXPIRED",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERR_OF_A_LATER_NODE",
];

/** SQLSTATEs of the server, of a proxy, or of an outdated schema. */
const SQLSTATES = [
  ...["XX000", "XX001", "XX002", "0A000", "55000", "57P04", "42P10", "42883", "25P02", "P0001", "42601"],
  ...["08006", "28P01", "53300", "40001", "55P03", "25P03", "57P01", "58030", "99999"],
];

/** Texts of errors without a code. */
const TEXTS = [
  "Query read timeout",
  "The server does not support SSL connections",
  "Client network socket disconnected before secure TLS connection was established",
  "SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature is missing",
  "timeout expired",
  "anything",
];

describe("an error of the database", () => {
  const withCode = (code: string): Error => Object.assign(new Error(`error ${code}`), { code });

  it.each<[string, unknown]>([
    ...CODES_OF_NODE.map((code): [string, unknown] => [code, withCode(code)]),
    ...SQLSTATES.map((code): [string, unknown] => [`SQLSTATE ${code}`, withCode(code)]),
    ...TEXTS.map((text): [string, unknown] => [text, new Error(text)]),
    ["a code of Prisma's", withCode("P9999")],
    ["a value that is not an Error", "a text"],
  ])("is retried: %s", (_, error) => {
    expect(toDisposition(toStoreError(error)).type).toBe("retry");
  });

  it.each(["22P05", "22021", "23514", "54000"])(
    "is permanent if the data is the cause: SQLSTATE %s",
    (code) => {
      expect(toDisposition(toStoreError(withCode(code))).type).toBe("deadLetter");
    },
  );
});
