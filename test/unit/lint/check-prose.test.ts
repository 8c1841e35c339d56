import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findBannedWords, readProse } from "../../../scripts/lint/prose.ts";

describe("the check of prose", () => {
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "evenkeel-prose-"));
    spawnSync("git", ["init", "--quiet"], { cwd: folder });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function check(files: Readonly<Record<string, string>>): { status: number | null; hits: string[] } {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    spawnSync("git", ["add", "."], { cwd: folder });
    const script = resolve("scripts/check-prose.ts");
    const { status, stdout } = spawnSync(process.execPath, [script, "--list"], {
      cwd: folder,
      encoding: "utf8",
    });
    return { status, hits: stdout.split("\n").filter((line) => /^[\w/.-]+:/.test(line)) };
  }

  it("finds each form in a comment, a string, the contract and a document", () => {
    const openings = ["What", "Who", "Whoever", "Whatever", "Whether", "One that", "That which"];
    const sentences = openings.map((opening) => `${opening} waits is a row.`);
    const { status, hits } = check({
      "src/a.ts": sentences.map((each) => `/**\n * Returns rows.\n * ${each}\n */\n`).join("\n"),
      "src/b.ts": sentences.map((each) => `export const b = "${each}";\n`).join(""),
      "proto/evenkeel/v1/c.proto": sentences.map((each) => `// ${each}\nmessage C {}\n`).join(""),
      "docs/d.md": sentences.map((each) => `# A title\n\n${each}\n`).join("\n"),
    });
    for (const sentence of sentences) {
      const found = hits.filter((hit) => hit.endsWith(`: ${sentence}`) && !/: "\w+": /.test(hit));
      expect(found.map((hit) => hit.split(":")[0]).sort(), sentence).toEqual([
        "docs/d.md",
        "proto/evenkeel/v1/c.proto",
        "src/a.ts",
        "src/b.ts",
      ]);
    }
    expect(status).toBe(1);
  });

  it("passes plain prose", () => {
    const { status, hits } = check({
      "src/a.ts": `/** Returns the rows that wait. */\nexport const a = "the row is stale";\n`,
      "docs/b.md": "# Rows\n\nA dead letter keeps its message. Names begin with a letter.\n",
    });
    expect(hits).toEqual([]);
    expect(status).toBe(0);
  });

  it("finds a banned word in a document, where the limit is zero", () => {
    const { status, hits } = check({ "README.md": "The next run mends the row.\n" });
    expect(hits).toEqual(['README.md:1: "mends": The next run mends the row.']);
    expect(status).toBe(1);
  });

  it("finds a line of the source above 120 columns", () => {
    const { hits } = check({ "src/a.ts": `export const a = "${"x".repeat(120)}";\n` });
    expect(hits).toHaveLength(1);
  });
});

describe("the scanner", () => {
  it("keeps comments, strings and regular expressions apart", () => {
    const code = [
      'const a = "see https://example.com // not a comment";',
      "const b = /['\"`/*]\\/[/]/g; // Tests the value. Who knows.",
      `const c = \`outer \${list.map((x) => ({ y: \`inner of \${x} here\` }))} text /* no */\`;`,
      "const d = 4 / 2; // Divides the value.",
    ].join("\n");
    expect(readProse("a.ts", code)).toEqual({
      comments: [
        { line: 2, text: "Tests the value." },
        { line: 2, text: "Who knows." },
        { line: 4, text: "Divides the value." },
      ],
      strings: [
        { line: 1, text: "see https://example.com // not a comment" },
        { line: 3, text: "inner of X here" },
        { line: 3, text: "outer X text /* no */" },
      ],
    });
  });

  it("joins consecutive comment lines, and separates list items and tags", () => {
    const code =
      "// Reads the\n// rows. Then\n// ends.\n\n/**\n * Rows:\n * - What waits.\n * @throws Who asks.\n */";
    expect(readProse("a.ts", code).comments.map(({ line, text }) => `${line} ${text}`)).toEqual([
      "1 Reads the rows.",
      "1 Then ends.",
      "7 What waits.",
      "8 Who asks.",
    ]);
  });

  it("leaves out SQL, example commands and the code of documents", () => {
    expect(
      readProse("a.ts", '"SELECT all the rows"; "$ evenkeel objects dev\\nPrint all objects"').strings,
    ).toEqual([{ line: 2, text: "Print all objects" }]);
    expect(
      readProse("a.md", "A `What is` row.\n\n```\nWhat is code here.\n```\n| Cell one | Who is it |\n"),
    ).toEqual({
      comments: [
        { line: 1, text: "A X row." },
        { line: 6, text: "Cell one" },
        { line: 6, text: "Who is it" },
      ],
      strings: [],
    });
  });

  it("allows exact phrases only", () => {
    expect(findBannedWords("A dead letter, a capital letter; the letter says so")).toEqual([
      "letter",
      "says",
    ]);
  });
});
