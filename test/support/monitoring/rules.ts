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

/** Alerts that the rule tests expect to fire, and to be silent, at some time. */
export interface TestedAlerts {
  readonly firing: ReadonlySet<string>;
  readonly silent: ReadonlySet<string>;
}

/** Reads the alerts of the rule file. */
export function readRules(): AlertRule[] {
  const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/**
 * Reads the rule tests. An alert that fires is a query of the series `ALERTS`, because `alert_rule_test` would repeat its
 * texts.
 */
export function readTestedAlerts(): TestedAlerts {
  const { tests } = parse(readFileSync(RULE_TESTS, "utf8")) as { tests: RuleTest[] };
  const queries = tests.flatMap((test) => test.promql_expr_test ?? []);
  const checks = tests.flatMap((test) => test.alert_rule_test ?? []);
  return {
    firing: new Set(
      queries
        .filter(({ exp_samples: samples }) => samples.length > 0)
        .flatMap(({ expr }) => /^ALERTS\{alertname="(\w+)", alertstate="firing"\}$/.exec(expr)?.[1] ?? []),
    ),
    silent: new Set(
      checks.filter(({ exp_alerts: alerts }) => alerts.length === 0).map((check) => check.alertname),
    ),
  };
}

interface RuleTest {
  readonly promql_expr_test?: readonly { readonly expr: string; readonly exp_samples: readonly object[] }[];
  readonly alert_rule_test?: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly object[];
  }[];
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
