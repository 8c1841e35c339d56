import { toBinary } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ScopeDeclared, ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { SessionKey } from "../session-store.ts";

/**
 * Stores the scope in the session, so that a later attempt of a run restores resource types whose state was deleted.
 */
export async function setSessionScope(
  client: ClientBase,
  { account, cluster, epoch }: SessionKey,
  scope: ScopeDeclared,
): Promise<void> {
  await client.query(SET_SCOPE, [account, cluster, epoch, toBinary(ScopeDeclaredSchema, scope)]);
}

const SET_SCOPE = "UPDATE agent_session SET scope = $4 WHERE account = $1 AND cluster = $2 AND epoch = $3";
