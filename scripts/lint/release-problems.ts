/** State of the tree before a release. */
export interface ReleaseState {
  /** Version in package.json. */
  readonly version: string;
  /** Text of CHANGELOG.md. */
  readonly changelog: string;
  /** Lines of `git status --porcelain`. */
  readonly changedFiles: readonly string[];
  readonly tags: readonly string[];
}

/** Returns the reasons against a release, or none. */
export function findReleaseProblems({ version, changelog, changedFiles, tags }: ReleaseState): string[] {
  const sections = readSections(changelog);
  const pending = sections.filter(
    ({ title, entries }) => /^\[?(unreleased|pending)\b/i.test(title) && entries > 0,
  );
  const [latest] = sections.filter(({ title }) => /^\[?\d/.test(title));
  const problems = pending.map(
    ({ title, entries }) =>
      `CHANGELOG.md: "${title}" has pending entries (${entries}); rename it to "[${version}] - <date>"`,
  );
  const isDated = / - \d{4}-\d\d-\d\d$/.test(latest?.title ?? "");
  if (latest === undefined || !isDated || !latest.title.startsWith(`[${version}] - `)) {
    const found = latest === undefined ? "no version" : `"${latest.title}"`;
    problems.push(`CHANGELOG.md: expected "[${version}] - <date>" first, as package.json, found ${found}`);
  }
  if (latest?.entries === 0) {
    problems.push(`CHANGELOG.md: "${latest.title}" has no entries`);
  }
  if (tags.includes(`v${version}`)) {
    problems.push(`package.json: version ${version} has a tag already; raise it`);
  }
  if (changedFiles.length > 0) {
    problems.push(`working tree: ${changedFiles.length} changed files; commit or remove them`);
  }
  return problems;
}

/** Returns the second-level sections of a changelog, and how many list items each one has. */
function readSections(changelog: string): { readonly title: string; readonly entries: number }[] {
  return changelog
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: (section.split("\n")[0] ?? "").trim(),
      entries: section.match(/^[-*] /gm)?.length ?? 0,
    }));
}
