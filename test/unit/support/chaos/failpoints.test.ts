import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { formatFailpoint, parseFailpoint } from "../../../support/chaos/failpoints.ts";

const module = fileURLToPath(new URL("../../../support/chaos/failpoints.ts", import.meta.url));

test("a failpoint keeps its parts as an argument", () => {
  const failpoint = { point: "after-commit", passing: 3, signal: "SIGSTOP" } as const;
  expect(parseFailpoint(formatFailpoint(failpoint))).toEqual(failpoint);
});

test.each(["", "after-commit", "never:1:SIGKILL", "after-commit:0:SIGKILL", "after-commit:1:SIGTERM"])(
  "%j is refused",
  (text) => {
    expect(() => parseFailpoint(text)).toThrow("failpoint: expected POINT:PASSING:SIGNAL");
  },
);

test("a process ends itself when it passes the point for the nth time", () => {
  const script = `
    import { withFailpoint } from ${JSON.stringify(module)};
    const producer = { publish: async () => {}, close: async () => {} };
    const bus = { createProducer: async () => producer };
    const failpoint = { point: "after-publish", passing: 2, signal: "SIGKILL" };
    const ports = withFailpoint({ bus, database: {} }, failpoint);
    const { publish } = await ports.bus.createProducer();
    for (let passing = 1; passing <= 3; passing += 1) {
      await publish();
      process.stdout.write(String(passing));
    }`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  expect(ended).toMatchObject({ stdout: "1", signal: "SIGKILL" });
});
