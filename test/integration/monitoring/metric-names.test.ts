import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { collectMetricPages } from "../../support/monitoring/metric-pages.ts";
import { describeWithPromtool } from "../../support/monitoring/promtool.ts";
import { findMetricNames, OPERATIONS, readRules, readSection } from "../../support/monitoring/rules.ts";

let pages: readonly string[];
beforeAll(async () => {
  pages = await collectMetricPages();
});

describe("the metrics of a run", () => {
  const linesOf = (pattern: RegExp): string[][] =>
    pages.flatMap((page) => [...page.matchAll(pattern)].map(([, ...groups]) => groups));
  const namesOf = (pattern: RegExp): Set<string> => new Set(linesOf(pattern).map(([name = ""]) => name));

  it("include each series that a rule names (L30)", () => {
    const series = namesOf(/^(\w+)(?:\{.*\})? /gm);
    const named = readRules().flatMap(({ expr, annotations }) =>
      findMetricNames([expr, ...Object.values(annotations)].join(" ")),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !series.has(name))).toEqual([]);
  });

  it("include the labels by which a rule selects (L30)", () => {
    const selectors = readRules().flatMap(({ expr }) => [...expr.matchAll(/(evenkeel_\w+)\{(\w+="\w+")\}/g)]);
    const found = linesOf(/^(evenkeel_\w+)\{(.*)\} /gm);
    expect(selectors.length).toBeGreaterThan(0);
    for (const [selector, name, label = ""] of selectors) {
      expect(
        found.some(([series, labels]) => series === name && labels?.includes(label)),
        selector,
      ).toBe(true);
    }
  });

  it("are those of the operations guide (L30)", () => {
    const documented = new Set(findMetricNames(readSection("Metrics").join("\n")));
    const exported = namesOf(/^# TYPE (evenkeel_\w+) /gm);
    expect([...documented].filter((name) => !exported.has(name))).toEqual([]);
    expect([...exported].filter((name) => !documented.has(name))).toEqual([]);
    const elsewhere = findMetricNames(readFileSync(OPERATIONS, "utf8"));
    expect(elsewhere.filter((name) => !exported.has(name))).toEqual([]);
  });

  it("follow the conventions of Prometheus, with a help text", () => {
    const types = linesOf(/^# TYPE (evenkeel_\w+) (\w+)$/gm) as [string, string][];
    const helps = new Map(linesOf(/^# HELP (evenkeel_\w+) (.*)$/gm) as [string, string][]);
    expect(types.filter(([name, type]) => name.endsWith("_total") !== (type === "counter"))).toEqual([]);
    expect(types.filter(([name, type]) => type === "histogram" && !/_(seconds|bytes)$/.test(name))).toEqual(
      [],
    );
    expect(types.filter(([name]) => /_(ms|milliseconds|minutes|kib|mib|percent)(_|$)/.test(name))).toEqual(
      [],
    );
    expect(types.filter(([name]) => !/^[A-Z].{8,}/.test(helps.get(name) ?? ""))).toEqual([]);
    expect(types.filter(([name]) => helps.get(name)?.startsWith("description missing"))).toEqual([]);
  });

  it("have no label that names an account, a cluster or an object", () => {
    const labels = new Set(
      linesOf(/^evenkeel_\w+\{(.*)\} /gm).flatMap(([text = ""]) =>
        [...text.matchAll(/(\w+)="/g)].map(([, name]) => name),
      ),
    );
    const allowed = ["body", "code", "le", "namespace", "outcome"];
    expect([...labels].filter((label = "") => !allowed.includes(label))).toEqual([]);
    expect(labels).toContain("body");
  });
});

describeWithPromtool("promtool's check of the metrics of a run", (promtool) => {
  it("finds no problem", async () => {
    for (const page of pages) {
      expect(await promtool(["check", "metrics"], page)).toBe("");
    }
  });
});
