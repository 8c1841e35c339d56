import { expect, it } from "vitest";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { DeletionLog } from "../../../../src/agent/watch/deletion-log.ts";

const { OBSERVED, NOT_LISTED } = DeleteReason;

it.each([
  ["a newer Delete", { uid: "other", observed: 11n, reason: NOT_LISTED }, "u", true],
  ["a Delete at the same version", { uid: "other", observed: 10n, reason: OBSERVED }, "u", false],
  [
    "an older Delete of another object of this name",
    { uid: "other", observed: 3n, reason: OBSERVED },
    "u",
    false,
  ],
  ["the end of its uid, with an old version (R54)", { uid: "u", observed: 3n, reason: OBSERVED }, "u", true],
  ["an older list that lacks its uid", { uid: "u", observed: 3n, reason: NOT_LISTED }, "u", false],
  ["an older Delete, if neither has a uid", { uid: "", observed: 3n, reason: OBSERVED }, "", false],
])("an object that was present at version 10 has ended by %s: %o", (_, deletion, uid, hasEnded) => {
  const log = new DeletionLog();
  log.record("a/x", deletion);
  expect(log.endOf("a/x", uid, 10n)).toEqual(hasEnded ? deletion : undefined);
  expect(log.endOf("a/y", uid, 10n)).toBeUndefined();
});

it("the last Delete of a key counts", () => {
  const log = new DeletionLog();
  log.record("a/x", { uid: "u", observed: 20n, reason: NOT_LISTED });
  log.record("a/x", { uid: "v", observed: 30n, reason: NOT_LISTED });
  expect(log.endOf("a/x", "u", 25n)).toMatchObject({ uid: "v" });
});
