import {
  create,
  type DescMethodUnary,
  fromJson,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import {
  FleetService,
  type ReconciliationRun,
  ReconciliationState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";

/** Calls a method as curl does: JSON over POST. Throws the server's error if the status is not 200. */
export async function callFleet<I extends DescMethodUnary["input"], O extends DescMethodUnary["output"]>(
  serverUrl: string,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const response = await fetch(`${serverUrl}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify(toJson(method.input, create(method.input, request))),
  });
  const body = await response.text();
  if (response.status !== 200) {
    throw new Error(`${method.name} was answered with ${response.status}: ${body}`);
  }
  return fromJson(method.output, JSON.parse(body));
}

/** Returns the latest runs of a cluster, the newest first. */
export async function listRuns(serverUrl: string, cluster: string): Promise<readonly ReconciliationRun[]> {
  const request = { clusters: [cluster], pageSize: 100 };
  return (await callFleet(serverUrl, FleetService.method.listReconciliationRuns, request)).runs;
}

/** Returns the runs that verified every resource type, the newest first. */
export async function listSucceededRuns(
  serverUrl: string,
  cluster: string,
): Promise<readonly ReconciliationRun[]> {
  const runs = await listRuns(serverUrl, cluster);
  return runs.filter(({ state }) => state === ReconciliationState.SUCCEEDED);
}

/** Returns the number of rows that a run repaired. */
export function countFindings({ results }: ReconciliationRun): number {
  return results.flatMap(({ findings }) => findings).reduce((sum, { count }) => sum + Number(count), 0);
}
