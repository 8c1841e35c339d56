import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";

const DOCUMENTS = ["*.md", "docs/**/*.md", ".github/**/*.md", "proto/*.md"];
const LINK = /(?<!!)\[[^\]]*\]\(([^)\s]+)\)/g;
const REFERENCE = /\[[^\]]*\]\[([^\]]+)\]/g;

describe("links of documents", () => {
  it("lead to files and headings that exist", () => {
    const paths = DOCUMENTS.flatMap((pattern) => globSync(pattern));
    expect(paths).toContain("README.md");
    expect(paths.flatMap((path) => findBrokenLinks(path, readFileSync(path, "utf8")))).toEqual([]);
  });

  it("are reported when they are broken", () => {
    const text = [
      "[a](docs/absent.md), [b](README.md#absent), [c](#here), [d](https://example.com), [e](src), [f][g]",
      "```\n[f](in-code.md)\n```",
      "# Here",
    ].join("\n");
    expect(findBrokenLinks("README.md", text)).toEqual([
      "README.md: docs/absent.md",
      "README.md: README.md#absent",
      "README.md: g",
    ]);
  });
});

function findBrokenLinks(path: string, text: string): string[] {
  const prose = withoutCode(text);
  const targets = [...prose.matchAll(LINK)].map(([, target = ""]) => target);
  const undefinedNames = [...prose.matchAll(REFERENCE)]
    .map(([, name = ""]) => name)
    .filter((name) => !prose.includes(`\n[${name}]: `));
  return [...targets.filter((target) => !resolves(path, text, target)), ...undefinedNames].map(
    (target) => `${path}: ${target}`,
  );
}

function resolves(path: string, text: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) {
    return true;
  }
  const [file = "", anchor] = target.split("#");
  const resolved = file === "" ? path : posix.join(posix.dirname(path), file);
  if (!existsSync(resolved)) {
    return false;
  }
  return (
    anchor === undefined ||
    (statSync(resolved).isFile() &&
      anchorsOf(file === "" ? text : readFileSync(resolved, "utf8")).includes(anchor))
  );
}

/** Returns the anchors that GitHub derives from headings. */
function anchorsOf(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function withoutCode(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "");
}
