import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BatchSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Session } from "../../../../src/backend/sync/session.ts";
import { SessionRegistry } from "../../../../src/backend/sync/session-registry.ts";
import { ConflictError } from "../../../../src/lib/errors.ts";
import { createSession } from "../../../support/backend/session-for-test.ts";

/** The error that ended the session. */
async function endOf(session: Session): Promise<unknown> {
  const messages = session.outbox.take(AbortSignal.timeout(50));
  return await messages.next().catch((error: unknown) => error);
}

describe("SessionRegistry", () => {
  it("ends an older session of the cluster when a newer one is added (R14)", async () => {
    const registry = new SessionRegistry();
    const [older, newer] = [createSession({ epoch: 1n }), createSession({ epoch: 2n })];
    registry.add(older);
    registry.add(newer);
    expect(await endOf(older)).toBeInstanceOf(ConflictError);
    expect(registry.list()).toEqual([newer]);
  });

  it("ends the older session also if it is added later (R34)", async () => {
    const registry = new SessionRegistry();
    const [older, newer] = [createSession({ epoch: 1n }), createSession({ epoch: 2n })];
    registry.add(newer);
    registry.add(older);
    expect(await endOf(older)).toBeInstanceOf(ConflictError);
    expect(registry.list()).toEqual([newer]);
  });

  it("keeps the newer session when the older one is removed late (R34)", () => {
    const registry = new SessionRegistry();
    const [older, newer] = [createSession({ epoch: 1n }), createSession({ epoch: 2n })];
    registry.add(older);
    registry.add(newer);
    registry.remove(older);
    expect(registry.list()).toEqual([newer]);
    registry.remove(newer);
    expect(registry.list()).toEqual([]);
  });

  it("separates clusters of one name in two accounts", () => {
    const registry = new SessionRegistry();
    const [one, other] = [createSession({ account: "a" }), createSession({ account: "b" })];
    registry.add(one);
    registry.add(other);
    expect(registry.find(one.identity)).toBe(one);
    expect(registry.find(other.identity)).toBe(other);
  });

  it("finds a session by its epoch only", () => {
    const registry = new SessionRegistry();
    const session = createSession({ epoch: 2n });
    registry.add(session);
    expect(registry.find({ ...session.identity, epoch: 1n })).toBeUndefined();
    expect(registry.find({ ...session.identity, cluster: "c2" })).toBeUndefined();
  });

  it("ends a session that was replaced at another backend, and no other", async () => {
    const registry = new SessionRegistry();
    const session = createSession({ epoch: 2n });
    registry.add(session);
    registry.endReplaced({ ...session.identity, epoch: 1n });
    expect(session.outbox.offer(create(BatchSchema))).toBe(true);
    registry.endReplaced(session.identity);
    expect(session.outbox.offer(create(BatchSchema))).toBe(false);
  });
});
