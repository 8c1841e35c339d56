import { describe, expect, it } from "vitest";
import { toLetterDocument, toLetterJson, toLetterSummary } from "../../../../src/cli/output/dead-letter.ts";
import type { StoredDeadLetter } from "../../../../src/event/dead-letter.ts";
import { createPutMessage } from "../../../support/bus/dead-letters.ts";

const content = `{"secret":"${"s3cret ".repeat(1000)}","big":9007199254740993}`;

function createLetter(message: StoredDeadLetter["message"]): StoredDeadLetter {
  const known = { reason: "cannot be stored", sourcePosition: "9:1:3", redeliveryCount: 4 };
  return { ...known, id: "163:0", message, acknowledge: async () => {} };
}

const letter = createLetter(createPutMessage("c1", "web", content));
const poison = createLetter({
  key: '["shop","c2"]',
  payload: Uint8Array.of(255, 255),
  properties: { account: "acme" },
});

describe("a dead letter in a line", () => {
  it("says when, whose and what, from the payload", () => {
    expect(toLetterJson(toLetterSummary(letter))).toEqual({
      id: "163:0",
      time: "2026-01-01T00:00:00.000Z",
      account: "acme",
      cluster: "c1",
      body: "1 deployments.apps",
      reason: "cannot be stored",
      redeliveries: 4,
      bytes: letter.message.payload.byteLength,
    });
  });

  it("L13: names the cluster of its key, whatever its properties and its payload state", () => {
    expect(toLetterJson(toLetterSummary(poison))).toMatchObject({
      account: "shop",
      cluster: "c2",
      body: "not an Event",
      bytes: 2,
    });
  });
});

describe("L14: a dead letter without its payload", () => {
  const omitted = { ...createLetter({ key: '["acme","c1"]', payload: new Uint8Array() }), omittedBytes: 7 };

  it("says so, with the size", () => {
    const expected = { account: "acme", cluster: "c1", body: "payload not kept", bytes: 7 };
    expect(toLetterJson(toLetterSummary(omitted))).toMatchObject(expected);
    expect(toLetterDocument(omitted, true)).toMatchObject({ undecodable: "payload not kept", bytes: 7 });
  });
});

describe("a dead letter as a document", () => {
  it("has the event expanded, without contents", () => {
    const document = toLetterDocument(letter, false);
    expect(document).toMatchObject({
      id: "163:0",
      sourcePosition: "9:1:3",
      redeliveryCount: 4,
      key: '["acme","c1"]',
      event: {
        account: "acme",
        epoch: "3",
        batch: { items: [{ putObject: { ref: { namespace: "shop", name: "web" }, uid: "u-1" } }] },
      },
    });
    const text = JSON.stringify(document);
    expect(text).not.toContain("s3cret");
    expect(text).not.toContain(Buffer.from(content).toString("base64").slice(0, 20));
  });

  it("has contents as they are, digit for digit, when they are asked for", () => {
    expect(toLetterDocument(letter, true).contents).toEqual([{ namespace: "shop", name: "web", content }]);
  });

  it("says why there is no event, and gives the payload only when it is asked for", () => {
    const document = toLetterDocument(poison, false);
    expect(document.undecodable).toContain("not an evenkeel.v1.Event (2 bytes)");
    expect(document).not.toHaveProperty("payload");
    expect(toLetterDocument(poison, true).payload).toBe("//8=");
  });
});
