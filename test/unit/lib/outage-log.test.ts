import { describe, expect, it } from "vitest";
import { createOutageLog } from "../../../src/lib/log.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

describe("the log of an outage", () => {
  const messages = { failed: "not read", worked: "read again" };

  it("an outage is logged at its first failure, at each change of the error, and at its end", () => {
    const log = createTestLog();
    const outage = createOutageLog(log, messages);
    for (const reason of ["refused", "refused", "reset", "refused"]) {
      outage.failed(new Error(reason));
    }
    outage.worked();
    outage.failed(new Error("refused"), "info");
    expect(log.lines).toEqual([
      "warn not read: refused",
      "warn not read: reset",
      "warn not read: refused",
      "info read again",
      "info not read: refused",
    ]);
  });

  it("an operation without failures logs nothing", () => {
    const log = createTestLog();
    const outage = createOutageLog(log, messages);
    outage.worked();
    outage.worked();
    expect(log.lines).toEqual([]);
  });
});
