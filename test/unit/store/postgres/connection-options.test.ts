import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { toConnectionOptions } from "../../../../src/store/postgres/connection-options.ts";

const home = mkdtempSync(join(tmpdir(), "evenkeel-home-"));
afterAll(() => rmSync(home, { recursive: true }));

const optionsOf = (url: string, environment: Record<string, string> = {}) => {
  const { password, ...options } = toConnectionOptions(url, { HOME: home, ...environment });
  return { ...options, readPassword: password as () => string };
};

test("what the URL leaves out comes from libpq's variables, then from its defaults (L29)", () => {
  expect(optionsOf("postgres://h")).toMatchObject({
    host: "h",
    port: 5432,
    user: userInfo().username,
    database: userInfo().username,
    application_name: "evenkeel",
  });
  const variables = {
    PGHOST: "other",
    PGPORT: "1",
    PGDATABASE: "d",
    PGUSER: "u",
    PGPASSWORD: "p",
    PGAPPNAME: "a",
  };
  const options = optionsOf("postgres:///e", variables);
  expect(options).toMatchObject({ host: "other", port: 1, user: "u", database: "e", application_name: "a" });
  expect(options.readPassword()).toBe("p");
  expect(optionsOf("postgres://:q@h", variables).readPassword()).toBe("q");
  expect(() => optionsOf("postgres:///d")).toThrow("database URL: host: required");
  expect(() => optionsOf("postgres://h", { PGSSLMODE: "allow" })).toThrow(
    "database URL: sslmode: expected one of",
  );
});

test("~/.pgpass has the password of a URL without one, or the file of PGPASSFILE (L29)", () => {
  writeFileSync(join(home, ".pgpass"), "*:*:*:*:of-home", { mode: 0o600 });
  writeFileSync(join(home, "other"), "*:*:*:*:of-file", { mode: 0o600 });
  expect(optionsOf("postgres://u@h/d").readPassword()).toBe("of-home");
  expect(optionsOf("postgres://u@h/d", { PGPASSFILE: join(home, "other") }).readPassword()).toBe("of-file");
  expect(optionsOf("postgres://u:own@h/d").readPassword()).toBe("own");
});

const VERIFIED = { rejectUnauthorized: true };
const UNVERIFIED = { rejectUnauthorized: false, checkServerIdentity: expect.any(Function) };

test.each<[string, unknown]>([
  ["postgres://db.example/d", VERIFIED],
  ["postgres://10.0.0.1/d", VERIFIED],
  ["postgres://localhost/d", false],
  ["postgres://127.0.0.1/d", false],
  ["postgres://[::1]/d", false],
  ["postgres:///d?host=/var/run/postgresql", false],
  ["postgres:///d?host=/var/run/postgresql&sslmode=verify-full", false],
  ["postgres://localhost/d?sslrootcert=system", { ...VERIFIED, ca: expect.any(Array) }],
  ["postgres://db.example/d?sslmode=disable", false],
  ["postgres://db.example/d?sslmode=prefer", UNVERIFIED],
  ["postgres://db.example/d?sslmode=require", UNVERIFIED],
  ["postgres://localhost/d?sslmode=verify-full", VERIFIED],
])("TLS of %s (L29)", (url, expected) => {
  expect(optionsOf(url).ssl).toEqual(expected);
});

test("as in libpq, ~/.postgresql/root.crt makes require verify the authority, but not the name (L29)", () => {
  const folder = join(home, ".postgresql");
  mkdirSync(folder);
  const root = new URL("../../../support/tls/loopback.cert.pem", import.meta.url);
  copyFileSync(root, join(folder, "root.crt"));
  expect(optionsOf("postgres://h/d?sslmode=require").ssl).toEqual({
    ca: readFileSync(root, "utf8"),
    rejectUnauthorized: true,
    checkServerIdentity: expect.any(Function),
  });
  rmSync(folder, { recursive: true });
});
