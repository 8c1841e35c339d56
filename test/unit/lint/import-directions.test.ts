import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findImportViolations } from "../../../scripts/lint/import-directions.ts";

describe("import directions", () => {
  it("hold in src", () => {
    const files = globSync("src/**/*.ts").map((path) => ({ path, text: readFileSync(path, "utf8") }));
    expect(files.length).toBeGreaterThan(200);
    expect(findImportViolations(files)).toEqual([]);
  });

  it.each([
    ["lib imports domain", "src/lib/a.ts", "../domain/resource-type.ts"],
    ["lib imports generated code", "src/lib/a.ts", "../../gen/proto/evenkeel/v1/batch_pb.ts"],
    ["domain imports a port", "src/domain/a.ts", "../store/run-store.ts"],
    ["a port imports a program", "src/store/a.ts", "../backend/backend.ts"],
    ["the bus imports the event format", "src/bus/a.ts", "../event/codec.ts"],
    ["a program imports another", "src/agent/a.ts", "../ingester/ingester.ts"],
    ["a program imports the CLI", "src/backend/a.ts", "../cli/cli.ts"],
    ["a program imports Prisma's client", "src/backend/a.ts", "../../gen/prisma/client.ts"],
    ["the CLI imports Prisma's client", "src/cli/a.ts", "../../gen/prisma/client.ts"],
    ["OpenTelemetry outside telemetry", "src/ingester/a.ts", "@opentelemetry/api"],
    ["Pulsar's client outside its adapters", "src/backend/a.ts", "pulsar-client"],
    ["jose outside rpc/auth", "src/cli/a.ts", "jose"],
    ["telemetry imports a program", "src/telemetry/a.ts", "../backend/backend.ts"],
    ["the agent's watch imports its comparison", "src/agent/watch/a.ts", "../compare/diff.ts"],
  ])("refuses: %s", (_, path, specifier) => {
    const imports = [
      `import { x } from "${specifier}";`,
      `import type {\n  X,\n} from "${specifier}";`,
      `import "${specifier}";`,
      `export { x } from "${specifier}";`,
      `const x = await import("${specifier}");`,
    ];
    for (const text of imports) {
      expect(findImportViolations([{ path, text }]), text).toHaveLength(1);
    }
  });
});
