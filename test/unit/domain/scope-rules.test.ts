import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { type ScopeDeclared, ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { MAX_SCOPE_RESOURCES } from "../../../src/domain/limits.ts";
import { findScopeViolation } from "../../../src/domain/scope-rules.ts";
import { assertValid } from "../../../src/domain/validation.ts";

function scopeOf(resourceTypes: number, namespaces = 0, namespaced = true): ScopeDeclared {
  return create(ScopeDeclaredSchema, {
    generation: 1n,
    namespaces: Array.from({ length: namespaces }, (_, index) => `n${index}`),
    resources: Array.from({ length: resourceTypes }, (_, index) => ({
      resourceType: { group: `g${index}.example.com`, version: "v1", resource: `r${index}` },
      kind: "Kind",
      singular: "kind",
      namespaced,
    })),
  });
}

/** Returns the milliseconds of processor time that a call takes. */
function cpuMs(call: () => void): number {
  const before = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

it("validates a scope in a time that grows with its size only, up to the limit of the contract (L1)", () => {
  assertValid(ScopeDeclaredSchema, scopeOf(10));
  const small = scopeOf(MAX_SCOPE_RESOURCES / 5);
  const large = scopeOf(MAX_SCOPE_RESOURCES);
  const validate = (scope: ScopeDeclared) => (): void => {
    assertValid(ScopeDeclaredSchema, scope);
    expect(findScopeViolation(scope)).toBeUndefined();
  };
  const time = (scope: ScopeDeclared): number =>
    Math.min(...Array.from({ length: 3 }, () => cpuMs(validate(scope))));
  expect(time(large)).toBeLessThan(Math.max(100, 12 * time(small)));
});

it("refuses a group and resource that a scope names twice, also in two versions", () => {
  const scope = scopeOf(MAX_SCOPE_RESOURCES - 1);
  scope.resources.push(
    ...create(ScopeDeclaredSchema, {
      resources: [{ resourceType: { group: "g7.example.com", version: "v2", resource: "r7" } }],
    }).resources,
  );
  expect(findScopeViolation(scope)).toEqual({
    field: "scope_declared.resources[4999].resource_type",
    description: 'must name each group and resource once, found "r7.g7.example.com" at 7 too',
  });
});

it("refuses more than 250,000 pairs of a namespaced resource type and a namespace (L9)", () => {
  expect(findScopeViolation(scopeOf(50, 5_000))).toBeUndefined();
  expect(findScopeViolation(scopeOf(51, 5_000))).toEqual({
    field: "scope_declared.namespaces",
    description: "expected at most 250000 pairs of a namespaced resource type and a namespace, found 255000",
  });
  expect(findScopeViolation(scopeOf(5_000, 5_000, false))).toBeUndefined();
});
