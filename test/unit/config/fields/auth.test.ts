import { describe, expect, test } from "vitest";
import { authFields, toAuthConfig } from "../../../../src/config/fields/auth.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { agentProgram } from "../../../../src/config/programs/agent.ts";
import { clientProgram } from "../../../../src/config/programs/client.ts";
import { resolveConfig } from "../../../../src/config/resolve.ts";
import { isExposed } from "../../../../src/config/value-types.ts";
import { ConfigError } from "../../../../src/lib/errors.ts";

/** Returns the configuration of a program that listens on the host, with these variables. */
function auth(host: string, environment: Readonly<Record<string, string>>) {
  const values = loadConfig(authFields, Object.keys(authFields), { flags: {}, environment });
  return toAuthConfig(host, values);
}

const keys = { EVENKEEL_AUTH_PUBLIC_KEYS: "old.pub, new.json" };
const none = { EVENKEEL_INSECURE_NO_AUTH: "true" };

test.each(["127.0.0.1", "0.0.0.0", "::", "evenkeel.example"])("with keys it may listen on %s", (host) => {
  expect(auth(host, keys)).toEqual({
    type: "tokens",
    publicKeyFiles: ["old.pub", "new.json"],
    audience: "evenkeel",
  });
});

test("the audience can be another", () => {
  expect(auth("::", { ...keys, EVENKEEL_AUTH_AUDIENCE: "evenkeel-eu" })).toMatchObject({
    audience: "evenkeel-eu",
  });
});

test.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])(
  "without authentication it may listen on %s",
  (host) => {
    expect(auth(host, none)).toEqual({ type: "none" });
  },
);

describe("a program does not start", () => {
  test.each(["0.0.0.0", "::", "10.0.0.1", "127.evil.example", "localhost.example", "::ffff:10.0.0.1"])(
    "without authentication on %s",
    (host) => {
      expect(() => auth(host, none)).toThrow(ConfigError);
      expect(() => auth(host, none)).toThrow(`host: expected a loopback address (127.0.0.1, ::1, localhost)`);
    },
  );

  test.each<[string, Readonly<Record<string, string>>, string]>([
    [
      "when nothing was chosen",
      {},
      'authPublicKeys: required; create a key pair with "evenkeel token keygen" and set --auth-public-keys, or disable authentication with --insecure-no-auth (loopback addresses only)',
    ],
    ["with an empty list of keys", { EVENKEEL_AUTH_PUBLIC_KEYS: "" }, "authPublicKeys: required"],
    ["when both were chosen", { ...keys, ...none }, "insecureNoAuth: set together with authPublicKeys"],
  ])("%s", (_, environment, message) => {
    expect(() => auth("127.0.0.1", environment)).toThrow(ConfigError);
    expect(() => auth("127.0.0.1", environment)).toThrow(message);
  });
});

const token = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";

describe.each([
  ["agent", agentProgram],
  ["client", clientProgram],
] as const)("the token of an %s", (_, program) => {
  const resolve = (environment: Readonly<Record<string, string>>) =>
    resolveConfig<typeof program.fields, unknown>(program as never, {
      flags: { cluster: "c1" },
      environment,
    });

  test("is given as it is, or in a file", () => {
    expect(resolve({ EVENKEEL_TOKEN: token })).toMatchObject({ token, tokenFile: undefined });
    expect(resolve({ EVENKEEL_TOKEN_FILE: "/t" })).toMatchObject({ token: undefined, tokenFile: "/t" });
  });

  test("is given once", () => {
    const both = { EVENKEEL_TOKEN: token, EVENKEEL_TOKEN_FILE: "/t" };
    expect(() => resolve(both)).toThrow(ConfigError);
    expect(() => resolve(both)).toThrow("token: set together with tokenFile; remove one of them");
  });

  test("has to look like one, and is not shown", () => {
    const wrong = { EVENKEEL_TOKEN: "hunter2" };
    expect(() => resolve(wrong)).toThrow(
      'token (environment EVENKEEL_TOKEN): expected a token as printed by "evenkeel token create"',
    );
    expect(() => resolve(wrong)).not.toThrow("hunter2");
  });
});

test.each([
  ["http://127.0.0.1:7070", false],
  ["http://localhost:7070", false],
  ["http://[::1]:7070", false],
  ["https://evenkeel.example", false],
  ["http://evenkeel.example", true],
  ["http://10.0.0.1:7070", true],
  ["http://[fd00::1]:7070", true],
])("what is sent to %s can be read on the way: %s", (url, expected) => {
  expect(isExposed(url)).toBe(expected);
});
