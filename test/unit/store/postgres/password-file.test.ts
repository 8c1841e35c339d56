import { expect, test } from "vitest";
import { findPassword } from "../../../../src/store/postgres/password-file.ts";

const login = { host: "h", port: "5432", database: "d", user: "u" };

test.each([
  ["the entry of the login", "h:5432:d:u:pw", "pw"],
  ["the first entry that matches", "x:5432:d:u:no\n*:*:*:*:first\nh:5432:d:u:second", "first"],
  ["after comments, blank lines and Windows line ends", "#h:5432:d:u:no\r\n\r\nh:5432:d:u:pw\r\n", "pw"],
  ["with escapes", "h:5432:d:u:a\\:b\\\\c", "a:b\\c"],
  ["without what follows an unescaped colon", "h:5432:d:u:pw:more", "pw"],
  ["none for another user", "h:5432:d:v:pw", undefined],
  ["none from a line without password", "h:5432:d:u", undefined],
  ["none from an empty password", "h:5432:d:u:", undefined],
])("a password file has %s (L29)", (_, text, expected) => {
  expect(findPassword(text, login)).toBe(expected);
});

test("a default directory of Unix sockets is named localhost, another one by its path (L29)", () => {
  const text = "localhost:*:*:*:local\n/srv/pg:*:*:*:own";
  expect(findPassword(text, { ...login, host: "/var/run/postgresql" })).toBe("local");
  expect(findPassword(text, { ...login, host: "/srv/pg" })).toBe("own");
});
