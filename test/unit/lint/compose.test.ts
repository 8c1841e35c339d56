import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";

interface Service {
  readonly volumes?: readonly string[];
}

test("of all containers, only the one that creates tokens has the signing key (L29)", () => {
  const text = readFileSync(new URL("../../../deploy/local/compose.yaml", import.meta.url), "utf8");
  const { services }: { services: Record<string, Service> } = parse(text, { merge: true });
  const having = (volume: string): string[] =>
    Object.entries(services)
      .filter(([, { volumes = [] }]) => volumes.some((each) => each.startsWith(`${volume}:`)))
      .map(([name]) => name);
  expect(having("keys")).toEqual(["keys"]);
  expect(having("tokens")).toEqual(["keys", "agent", "client"]);
  expect(having("public-keys")).toEqual(["keys", "backend"]);
});
