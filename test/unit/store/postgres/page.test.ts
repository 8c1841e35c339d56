import { describe, expect, it } from "vitest";
import { InvalidArgumentError } from "../../../../src/lib/errors.ts";
import type { PageQuery } from "../../../../src/store/fleet-store.ts";
import { ofClusters, toPage, toParts, toTimePosition } from "../../../../src/store/postgres/page.ts";

const ID = "00000000-0000-4000-8000-00000000000a";

describe("a page", () => {
  it.each([
    ["fewer rows than its limit", [1, 2], [10, 20], undefined],
    ["as many rows as its limit", [1, 2, 3], [10, 20, 30], undefined],
    ["more rows: it continues behind its last one", [1, 2, 3, 4], [10, 20, 30], ["at 3"]],
    ["no rows", [], [], undefined],
  ])("of %s", (_, rows, items, next) => {
    const page = toPage(
      rows,
      { limit: 3 } as PageQuery,
      (row) => 10 * row,
      (row) => [`at ${row}`],
    );
    expect(page).toEqual({ items, next });
  });

  it("without rows, although its limit is 0, is the last one", () => {
    const page = toPage([1], { limit: 0 } as PageQuery, String, (row) => [String(row)]);
    expect(page).toEqual({ items: [], next: undefined });
  });
});

describe("a position", () => {
  it("is a time and an ID in a list that is ordered by them", () => {
    const time = new Date("2026-01-02T03:04:05.678Z");
    expect(toTimePosition({ after: [time.toISOString(), ID], limit: 1 })).toEqual({ time, id: ID });
  });

  it("is unset at the beginning", () => {
    expect(toTimePosition({ limit: 1 } as PageQuery)).toBeUndefined();
  });

  it.each([
    ["no time", ["x", ID]],
    ["no ID", ["2026-01-02T03:04:05Z", "x"]],
    ["text before its ID", ["2026-01-02T03:04:05Z", `x${ID}`]],
    ["text behind its ID", ["2026-01-02T03:04:05Z", `${ID}x`]],
    ["too few parts", [ID]],
    ["too many parts", ["2026-01-02T03:04:05Z", ID, ""]],
  ])("of another list is refused: %s", (_, after) => {
    const call = (): unknown => toTimePosition({ after, limit: 1 });
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(/page_token/);
    expect(call).toThrow(expect.objectContaining({ info: { reason: "INVALID_PAGE_TOKEN" } }));
  });

  it("has as many parts as its list needs", () => {
    expect(toParts(["a", "b"], 2)).toEqual(["a", "b"]);
    expect(() => toParts(["a"], 2)).toThrow(InvalidArgumentError);
  });
});

describe("the condition for clusters", () => {
  it("has none if all are selected, and no cluster at all for an empty selection", () => {
    expect(ofClusters({ clusters: undefined } as never)).toEqual({});
    expect(ofClusters({ clusters: ["a", "b"] } as never)).toEqual({ cluster: { in: ["a", "b"] } });
    expect(ofClusters({ clusters: [] } as never)).toEqual({ cluster: { in: [] } });
  });
});
