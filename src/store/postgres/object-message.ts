import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Object$ as FleetObject,
  ObjectSchema,
  ObjectStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { canonicalize, parseExact } from "../../domain/canonical-json.ts";
import { enumFromName } from "../fleet/enum-from-name.ts";
import type { ObjectRow } from "../sql/select-objects.ts";

/** The object of a row. Its content is canonical again: jsonb gives it back with other spaces and another order. */
export function toObject(row: ObjectRow): FleetObject {
  const { group, version, resource, namespace, name } = row;
  return create(ObjectSchema, {
    ref: { kind: { group, version, resource }, namespace, name },
    uid: row.uid,
    resourceVersion: row.resource_version,
    observedVersion: row.observed_version,
    content: row.content === null ? "" : canonicalize(parseExact(row.content)),
    checksum: row.checksum ?? new Uint8Array(),
    managedBy: row.managed_by ?? "",
    state: enumFromName(ObjectStateSchema, row.state.toUpperCase()),
    quarantineReason: row.quarantine_reason ?? "",
    updateTime: timestampFromDate(row.updated_at),
    ...(row.verified_at && { verifiedTime: timestampFromDate(row.verified_at) }),
  });
}
