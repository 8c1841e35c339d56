import { describe, expect, it } from "vitest";
import { findReleaseProblems } from "../../../scripts/lint/release-problems.ts";

const READY = {
  version: "0.1.0",
  changelog: "# Changelog\n\n## Unreleased\n\n## [0.1.0] - 2026-11-26\n\n### Added\n\n- The agent.\n",
  changedFiles: [],
  tags: ["v0.0.9"],
};

describe("a release", () => {
  it("is possible with a version, a dated section with entries, and a clean tree", () => {
    expect(findReleaseProblems(READY)).toEqual([]);
  });

  it.each([
    ["Unreleased", 'CHANGELOG.md: "Unreleased" has pending entries (1); rename it to "[0.1.0] - <date>"'],
    ["[Unreleased]", 'CHANGELOG.md: "[Unreleased]" has pending entries (1); rename it to "[0.1.0] - <date>"'],
    ["Pending", 'CHANGELOG.md: "Pending" has pending entries (1); rename it to "[0.1.0] - <date>"'],
  ])("is refused while %s has entries", (title, problem) => {
    const changelog = READY.changelog.replace("## Unreleased", `## ${title}\n\n- A change.`);
    expect(findReleaseProblems({ ...READY, changelog })).toEqual([problem]);
  });

  it.each([
    [
      { version: "0.2.0" },
      'expected "[0.2.0] - <date>" first, as package.json, found "[0.1.0] - 2026-11-26"',
    ],
    [{ changelog: "# Changelog\n" }, "found no version"],
    [{ changelog: "## [0.1.0] - 2026-11-26\n" }, "has no entries"],
    [{ changelog: "## [0.1.0]\n\n- A change.\n" }, "<date>"],
    [{ tags: ["v0.1.0"] }, "has a tag already"],
    [{ changedFiles: [" M README.md"] }, "1 changed files"],
  ])("is refused for %o", (change, problem) => {
    const problems = findReleaseProblems({ ...READY, ...change });
    expect(problems).toEqual([expect.stringContaining(problem)]);
  });
});
