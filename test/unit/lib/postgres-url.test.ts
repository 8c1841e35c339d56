import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/lib/errors.ts";
import { parsePostgresUrl, withoutPassword } from "../../../src/lib/postgres-url.ts";

// Each expectation is that of libpq (PQconninfoParse).
describe("a Postgres URL is read as libpq reads it (L29)", () => {
  test.each<[string, Record<string, string>]>([
    ["postgres://u:p@h:5433/d", { user: "u", password: "p", host: "h", port: "5433", dbname: "d" }],
    ["postgresql://h", { host: "h" }],
    ["postgres://", {}],
    ["postgres:///d", { dbname: "d" }],
    ["postgres://h:/d", { host: "h", dbname: "d" }],
    ["postgres://u@/d?host=/var/run/postgresql", { user: "u", host: "/var/run/postgresql", dbname: "d" }],
    ["postgres://%2Fvar%2Frun/d", { host: "/var/run", dbname: "d" }],
    ["postgres://[::1]:5433/d", { host: "::1", port: "5433", dbname: "d" }],
    [
      "postgres://we%3Aird%40user:100%25sure%2F@h/d",
      { user: "we:ird@user", password: "100%sure/", host: "h", dbname: "d" },
    ],
    ["postgres://u:p#w?x@h/d", { user: "u", password: "p#w?x", host: "h", dbname: "d" }],
    ["postgres://a:b:c@h/d", { user: "a", password: "b:c", host: "h", dbname: "d" }],
    ["postgres://u:@h/d", { user: "u", host: "h", dbname: "d" }],
    ["postgres://ü:é@h/d", { user: "ü", password: "é", host: "h", dbname: "d" }],
    ["postgres://u@h/a/b", { user: "u", host: "h", dbname: "a/b" }],
    ["postgres://u:p@h/d?password=x%26y&user=v", { user: "v", password: "x&y", host: "h", dbname: "d" }],
    ["postgres://h/d?ssl=true", { host: "h", dbname: "d", sslmode: "require" }],
    ["postgres://h:5432?sslmode=disable&", { host: "h", port: "5432", sslmode: "disable" }],
    ["postgres://h/d?options=-c%20a%3Db+c", { host: "h", dbname: "d", options: "-c a=b+c" }],
  ])("%s", (url, expected) => {
    expect(parsePostgresUrl(url)).toEqual(expected);
  });
});

describe("what libpq or the driver cannot do is refused by its part, without the text (L29)", () => {
  test.each([
    ["mysql://u:S3cr3t@h/d", "expected a URL such as postgres://"],
    [
      "postgres://u:S3cr3t%sure@h/d",
      'password: expected percent-encoded UTF-8; in a user or password, write "%" as',
    ],
    ["postgres://S3cr3t%zz:p@h/d", "user: expected percent-encoded UTF-8"],
    ["postgres://u:p@h/S3cr3t%00", "dbname: expected percent-encoded UTF-8"],
    ["postgres://u:S3cr3t/w@h/d", 'database: expected no "@"'],
    ["postgres://u:12/S3cr3t@h/d", 'database: expected no "@"'],
    ["postgres://u:p@S3cr3t@h/d", 'host: expected no "@"'],
    ["postgres://u:p@h:S3cr3t/d", "port: expected a number from 1 to 65535"],
    ["postgres://u:p@h:65536/d", "port: expected a number from 1 to 65535"],
    ["postgres://u:p@[::1/S3cr3t", "host: expected a name, an IPv4 address, or an IPv6 address in []"],
    ["postgres://u:p@[::1]S3cr3t/d", "host: expected a name"],
    ["postgres://h1,h2/d", "host: expected one, found several"],
    ["postgres://h1:1,h2:2/d", "host: expected one, found several"],
    ["postgres://%40sock/d", "host: expected no abstract socket"],
    ["postgres://h/d?schema=x", "schema: not supported; remove it: it is a parameter of Prisma"],
    [
      "postgres://h/d?channel_binding=require",
      "channel_binding: not supported; remove it: the driver cannot",
    ],
    ["postgres://h/d?uselibpqcompat=true", "uselibpqcompat: not supported"],
    ["postgres://h/d?ssl=1", "ssl: not supported"],
    [
      "postgres://h/d?sslmode=disable&S3cr3t=x",
      "parameter 2 of the query: unknown; supported are host, port",
    ],
    ["postgres://h/d?S3cr3t", "parameter 1 of the query: expected NAME=VALUE"],
    ["postgres://h/d?password=S3cr3t=", 'in which "=" is written as %3D'],
    [
      "postgres://h/d?sslmode=S3cr3t",
      "sslmode: expected one of disable, prefer, require, verify-ca, verify-full",
    ],
    ["postgres://h/d?sslmode=allow", "allow is not supported"],
    ["postgres://h/d?sslmode=no-verify", "sslmode: expected one of"],
    ["postgres://h/d?sslcert=c", "sslcert: expected together with sslkey"],
  ])("%s", (url, message) => {
    const parse = () => parsePostgresUrl(url);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow("S3cr3t");
  });
});

test("a URL for people has no password and is equal otherwise (L29)", () => {
  const shown = withoutPassword("postgres://a%40b:S3cr3t@[::1]:1/d%2Fe?password=S3cr3t&options=-c%20a%3Db");
  expect(shown).toBe("postgres://a%40b@[::1]:1/d%2Fe?options=-c%20a%3Db");
  expect(withoutPassword("postgres:///d?host=/tmp")).toBe("postgres://%2Ftmp/d");
});
