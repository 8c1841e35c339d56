import { expect, test } from "vitest";
import { isExposedFile } from "../../../src/lib/private-file.ts";

test.each([
  ["0600 of a user", 1000, 0o100600, false],
  ["0400 of a user", 1000, 0o100400, false],
  ["0640 of a user", 1000, 0o100640, true],
  ["0644 of a user", 1000, 0o100644, true],
  ["0602 of a user", 1000, 0o100602, true],
  ["0600 of root", 0, 0o100600, false],
  ["0440 of root, as in a Kubernetes volume with fsGroup", 0, 0o100440, false],
  ["0640 of root", 0, 0o100640, false],
  ["0660 of root", 0, 0o100660, true],
  ["0644 of root, the default of a Kubernetes volume", 0, 0o100644, true],
])("a private file with %s is exposed as libpq decides (L29)", (_, uid, mode, expected) => {
  expect(isExposedFile({ uid, mode })).toBe(expected);
});
