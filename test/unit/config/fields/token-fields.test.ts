import { describe, expect, test } from "vitest";
import { isExposed } from "../../../../src/config/is-exposed.ts";
import { agentProgram } from "../../../../src/config/programs/agent-config.ts";
import { clientProgram } from "../../../../src/config/programs/client.ts";
import { resolveConfig } from "../../../../src/config/resolve.ts";
import { ConfigError } from "../../../../src/lib/errors.ts";

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
    expect(() => resolve(both)).toThrow("token and tokenFile are both set: take one away");
  });

  test("has to look like one, and is not shown", () => {
    const wrong = { EVENKEEL_TOKEN: "hunter2" };
    expect(() => resolve(wrong)).toThrow(
      'token (environment EVENKEEL_TOKEN): expected a token such as "evenkeel token create" prints',
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
