import { create } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { expect, it } from "vitest";
import { ScopeDeclaredSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { DEFAULT_DELETION_GUARD } from "../../../../src/domain/reconciliation/deletion-guard.ts";
import { applyScope } from "../../../../src/store/sql/apply-scope.ts";

/** Returns the size of the parameters of all statements that apply a scope, in characters. */
async function statementSize(resourceTypes: number, namespaces: number): Promise<number> {
  let size = 0;
  const query = (_text: string, parameters: readonly unknown[]): { rows: unknown[] } => {
    size += JSON.stringify(parameters, (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    ).length;
    return { rows: [] };
  };
  const scope = create(ScopeDeclaredSchema, {
    generation: 1n,
    namespaces: Array.from({ length: namespaces }, (_, index) => `n${index}`.padEnd(63, "x")),
    resources: Array.from({ length: resourceTypes }, (_, index) => ({
      resourceType: { group: "example.com", version: "v1", resource: `r${index}` },
      namespaced: true,
    })),
  });
  const position = { account: "acme", cluster: "c1", epoch: 1n, sequence: 1n };
  await applyScope({ query } as unknown as ClientBase, position, scope, DEFAULT_DELETION_GUARD);
  return size;
}

it("sends the namespaces of a scope once per statement, not once per resource type (L9)", async () => {
  const small = (await statementSize(1_000, 1)) + (await statementSize(1, 1_000));
  expect(await statementSize(1_000, 1_000)).toBeLessThan(1.5 * small);
});
