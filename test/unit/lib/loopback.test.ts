import { describe, expect, test } from "vitest";
import { findForeignOrigin } from "../../../src/lib/loopback.ts";

describe("a loopback port without authentication", () => {
  test.each([
    ["localhost:7070", undefined],
    ["LOCALHOST", undefined],
    ["127.0.0.1:7070", undefined],
    ["127.9.9.9", undefined],
    ["[::1]:7070", undefined],
    ["127.0.0.1:7070", "http://localhost:3000"],
    ["localhost:7070", "https://127.0.0.1"],
  ])("accepts Host %j with Origin %j", (host, origin) => {
    expect(findForeignOrigin({ host, origin })).toBeUndefined();
  });

  test.each([
    ["evil.example:7070", undefined, "Host"],
    ["127.0.0.1.evil.example", undefined, "Host"],
    ["localhost.evil.example:7070", undefined, "Host"],
    ["127.0.0.1@evil.example", undefined, "Host"],
    ["10.0.0.1:7070", undefined, "Host"],
    ["", undefined, "Host"],
    ["[", undefined, "Host"],
    [undefined, undefined, "Host"],
    ["localhost:7070", "http://evil.example", "Origin"],
    ["localhost:7070", "http://localhost.evil.example", "Origin"],
    ["localhost:7070", "null", "Origin"],
    ["localhost:7070", "", "Origin"],
  ])("refuses Host %j with Origin %j", (host, origin, header) => {
    expect(findForeignOrigin({ host, origin })).toMatch(`${header}: expected`);
  });
});
