import { create } from "@bufbuild/protobuf";
import {
  GetReconciliationRunResponseSchema,
  type ReconciliationRun,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ClientCall } from "../client-command.ts";
import type { CliContext } from "../context.ts";
import { listPages } from "../list-pages.ts";
import { formatMessage } from "./message.ts";
import { formatRun } from "./run.ts";

/** Prints a run; for people, with up to `findingLimit` of what it repaired. */
export async function printRun(
  { signal, clock, print, tell }: CliContext,
  { client, format }: ClientCall,
  run: ReconciliationRun,
  findingLimit: number,
): Promise<void> {
  if (format !== "table") {
    const response = create(GetReconciliationRunResponseSchema, { run });
    print(formatMessage(GetReconciliationRunResponseSchema, response, format));
    return;
  }
  let more = false;
  const findings = await listPages(findingLimit, async (pageSize, pageToken) => {
    const request = { runId: run.id, pageSize, pageToken };
    const page = await client.listReconciliationFindings(request, { signal });
    more = page.nextPageToken !== "";
    return { items: page.findings, nextPageToken: page.nextPageToken };
  });
  print(formatRun(clock.now(), run, findings));
  if (more) {
    tell(`There are more findings than these ${findings.length}: see "evenkeel run ${run.id} --limit".\n`);
  }
}
