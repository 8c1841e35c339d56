import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { describeWithPromtool } from "../../support/monitoring/promtool.ts";
import {
  OPERATIONS,
  RULE_TESTS,
  RULES,
  readRules,
  readSection,
  readTestedAlerts,
} from "../../support/monitoring/rules.ts";

describe("the rule file", () => {
  const rules = readRules();

  it("has a case that fires and a case that is silent for each alert (L30)", () => {
    const { firing, silent } = readTestedAlerts();
    const names = rules.map(({ alert }) => alert);
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !firing.has(name))).toEqual([]);
    expect(names.filter((name) => !silent.has(name))).toEqual([]);
  });

  it("has a severity, texts and a section of the operations guide for each alert", () => {
    const guide = readFileSync(OPERATIONS, "utf8");
    const anchors = [...guide.matchAll(/^## (.*)$/gm)].map(([, heading = ""]) =>
      heading.toLowerCase().replaceAll(" ", "-"),
    );
    const { homepage } = JSON.parse(readFileSync("package.json", "utf8")) as { homepage: string };
    for (const { alert, labels, annotations } of rules) {
      expect(["critical", "warning"], alert).toContain(labels["severity"]);
      expect(Object.keys(annotations), alert).toEqual(["summary", "description", "runbook_url"]);
      const [page, anchor] = annotations["runbook_url"]?.split("#") ?? [];
      expect(page, alert).toBe(`${homepage.split("#")[0]}/blob/main/${OPERATIONS}`);
      expect(anchors, alert).toContain(anchor);
    }
  });

  it("has the alerts of the table in the operations guide, which repeats no expression (L30)", () => {
    const section = readSection("Alerts");
    const names = section.flatMap((line) =>
      [...(/^\| (`Evenkeel[^|]*) \|/.exec(line)?.[1] ?? "").matchAll(/\w+/g)].map(([name]) => name),
    );
    expect(names).toEqual(rules.map(({ alert }) => alert));
    expect(
      section.filter((line) => /\b(rate|increase|sum|max|absent)\(|histogram_quantile/.test(line)),
    ).toEqual([]);
  });
});

describeWithPromtool("promtool", (promtool) => {
  it("accepts the rule file", async () => {
    expect(await promtool(["check", "rules", RULES])).toContain("SUCCESS");
  });

  it("sees each alert fire and stay silent as in the rule tests (L30)", async () => {
    expect(await promtool(["test", "rules", RULE_TESTS])).toContain("SUCCESS");
  });
});
