import type { ClientBase } from "pg";
import { findFieldDifferences } from "../../domain/field-differences.ts";
import { formatKey } from "../../domain/object-key.ts";
import type { Observation } from "../postgres/observation.ts";
import { type FindingTable, MAX_COMPARED_BYTES, type RunContext, type RunOutcomeRow } from "./write-rule.ts";

/**
 * Compares the contents that the rows of new findings had with the observed ones, and stores the fields that differ. A
 * finding whose object has no content, or more than `MAX_COMPARED_BYTES`, keeps an empty list.
 */
export async function recordDifferences(
  client: ClientBase,
  table: FindingTable,
  { account, cluster, group, resource, run }: RunContext,
  observations: readonly Observation[],
  rows: readonly RunOutcomeRow[],
): Promise<void> {
  const stored = new Map(
    rows.flatMap(({ namespace, name, content }) =>
      namespace === null || name === null || content === null
        ? []
        : [[formatKey({ namespace, name }), content] as const],
    ),
  );
  if (stored.size === 0) {
    return;
  }
  const found = observations.flatMap(({ namespace, name, content }) => {
    const old = stored.get(formatKey({ namespace, name }));
    return old === undefined || content === null || content.byteLength > MAX_COMPARED_BYTES
      ? []
      : [{ namespace, name, differences: findFieldDifferences(old, Buffer.from(content).toString()) }];
  });
  await client.query(`UPDATE ${table} f SET differences = d.differences::jsonb ${OF_FINDINGS}`, [
    account,
    cluster,
    run.runId,
    group,
    resource,
    found.map(({ namespace }) => namespace),
    found.map(({ name }) => name),
    found.map(({ differences }) => JSON.stringify(differences)),
  ]);
}

const OF_FINDINGS = `
FROM unnest($6::text[], $7::text[], $8::text[]) AS d(namespace, name, differences)
WHERE f.account = $1 AND f.cluster = $2 AND f.run_id = $3 AND f.api_group = $4 AND f.resource = $5
  AND f.namespace = d.namespace AND f.name = d.name`;
