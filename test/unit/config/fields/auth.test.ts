import { describe, expect, test } from "vitest";
import { authFields, toAuthConfig } from "../../../../src/config/fields/auth.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { ConfigError } from "../../../../src/lib/errors.ts";

/** What a program that listens on the host makes of these variables. */
function auth(host: string, environment: Readonly<Record<string, string>>) {
  const values = loadConfig(authFields, Object.keys(authFields), { flags: {}, environment });
  return toAuthConfig(host, values);
}

const keys = { EVENKEEL_AUTH_PUBLIC_KEYS: "old.pub, new.json" };
const none = { EVENKEEL_INSECURE_NO_AUTH: "true" };

test.each(["127.0.0.1", "0.0.0.0", "::", "evenkeel.example"])("with keys it may listen on %s", (host) => {
  expect(auth(host, keys)).toEqual({
    kind: "tokens",
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
    expect(auth(host, none)).toEqual({ kind: "none" });
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
      'authPublicKeys: is not set: give the keys that tokens are verified with (--auth-public-keys; "evenkeel token keygen" makes them), or let every caller of this machine in (--insecure-no-auth)',
    ],
    ["with an empty list of keys", { EVENKEEL_AUTH_PUBLIC_KEYS: "" }, "authPublicKeys: is not set"],
    ["when both were chosen", { ...keys, ...none }, "insecureNoAuth: is set together with authPublicKeys"],
  ])("%s", (_, environment, message) => {
    expect(() => auth("127.0.0.1", environment)).toThrow(ConfigError);
    expect(() => auth("127.0.0.1", environment)).toThrow(message);
  });
});
