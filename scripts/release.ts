/**
 * Prepares a release: checks the changelog, the version and the tree, writes the contract's image, and
 * builds dist/. RELEASING.md has the steps around it. `--check` checks only.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { findReleaseProblems } from "./lint/release-problems.ts";

const { version }: { version: string } = JSON.parse(readFileSync("package.json", "utf8"));
const problems = findReleaseProblems({
  version,
  changelog: readFileSync("CHANGELOG.md", "utf8"),
  changedFiles: read("git", "status", "--porcelain"),
  tags: read("git", "tag", "--list"),
});
if (problems.length > 0) {
  console.error(["release: not ready", ...problems].join("\n  "));
  process.exit(1);
}
if (!process.argv.includes("--check")) {
  run("npm", "run", "check");
  run("buf", "build", "--path", "proto/evenkeel", "-o", "proto/image.binpb");
  run("npm", "run", "build");
  console.log(
    [
      "Prepared. Next:",
      `  git commit -am "release: ${version}"`,
      `  git tag v${version}`,
      "  git push --follow-tags",
      "  npm publish",
    ].join("\n"),
  );
}

function read(command: string, ...args: string[]): string[] {
  const output = execFileSync(command, args, { encoding: "utf8" });
  return output.split("\n").filter((line) => line !== "");
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: "inherit" });
}
