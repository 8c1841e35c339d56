import { readFileSync } from "node:fs";
import { parse } from "yaml";

export const RULES = "deploy/monitoring/rules.yaml";
export const RULE_TESTS = "deploy/monitoring/rules.test.yaml";
export const OPERATIONS = "docs/operations.md";

/** An alert of a rule file. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A query of a rule test and its result at a time. */
export interface QueryTest {
  readonly expr: string;
  readonly exp_samples: readonly { readonly labels: string }[];
}

/** Reads the alerts of the rule file. */
export function readRules(): AlertRule[] {
  const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Reads the queries of the rule tests. */
export function readQueryTests(): QueryTest[] {
  const { tests } = parse(readFileSync(RULE_TESTS, "utf8")) as { tests: { promql_expr_test: QueryTest[] }[] };
  return tests.flatMap((test) => test.promql_expr_test);
}

/** Returns the lines of a section of the operations guide. */
export function readSection(heading: string): string[] {
  const [, section = ""] = readFileSync(OPERATIONS, "utf8").split(`\n## ${heading}\n`);
  return (section.split("\n## ")[0] ?? "").split("\n");
}

/** Returns the metrics of the product that a text names. */
export function findMetricNames(text: string): string[] {
  return [...new Set([...text.matchAll(/\bevenkeel_[a-z_*]+/g)].map(([name]) => name))];
}
