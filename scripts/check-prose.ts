/**
 * Checks comments, user-visible strings and documents for sentence openings and words that make them hard to read, and
 * the source for lines that are too long. Prints figures by folder, and each hit with `--list`. Fails above a limit.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { findBannedWords, hasRelativeOpening, type Prose, readProse } from "./lint/prose.ts";

/** Limits. They only go down: lower a limit when its figure has fallen. */
const LIMITS = {
  /** Sentences that open with a relative clause, in percent. The goal is 0. */
  openings: { comments: 0.2, strings: 0 },
  /** Banned words, by place. The goal for strings, contract and documents is 0. */
  words: { strings: 0, contract: 0, documents: 0, comments: 0 },
  /** Lines of src above 120 columns. The formatter wraps neither comments nor strings. */
  longLines: 0,
};

const MAX_COLUMNS = 120;
const INPUT = [
  ...["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "proto/evenkeel/**/*.proto", "prisma/schema.prisma"],
  ...["*.md", "docs/**/*.md"],
];

type Place = "comments" | "strings";

interface Count {
  sentences: number;
  openings: number;
}

const hits: string[] = [];
const folders = new Map<string, Record<Place, Count>>();
const words = { strings: 0, contract: 0, documents: 0, comments: 0 };
let longLines = 0;

const globs = INPUT.map((pattern) => `:(glob)${pattern}`);
for (const path of execFileSync("git", ["ls-files", ...globs], { encoding: "utf8" })
  .trim()
  .split("\n")) {
  const text = readFileSync(path, "utf8");
  const { comments, strings } = readProse(path, text);
  count(path, "comments", comments);
  count(path, "strings", path.startsWith("src/") ? strings : []);
  const long = path.startsWith("src/") ? text.split("\n").filter((line) => line.length > MAX_COLUMNS) : [];
  longLines += long.length;
  hits.push(...long.map((line) => `${path}: line of ${line.length} columns: ${line.trim()}`));
}

function count(path: string, place: Place, sentences: readonly Prose[]): void {
  const folder = /^(src\/[^/]+|[^/]+)/.exec(path)?.[0] ?? path;
  const counts = folders.get(folder) ?? {
    comments: { sentences: 0, openings: 0 },
    strings: { sentences: 0, openings: 0 },
  };
  folders.set(folder, counts);
  for (const { line, text } of sentences) {
    counts[place].sentences += 1;
    if (hasRelativeOpening(text)) {
      counts[place].openings += 1;
      hits.push(`${path}:${line}: ${text}`);
    }
    const banned = findBannedWords(text);
    words[placeOfWords(path, place)] += banned.length;
    hits.push(...banned.map((word) => `${path}:${line}: "${word}": ${text}`));
  }
}

function placeOfWords(path: string, place: Place): keyof typeof words {
  if (place === "strings") {
    return "strings";
  }
  return path.startsWith("proto/") ? "contract" : path.endsWith(".md") ? "documents" : "comments";
}

function share({ sentences, openings }: Count): number {
  return sentences === 0 ? 0 : (100 * openings) / sentences;
}

function total(place: Place): Count {
  const counts = [...folders.values()].map((folder) => folder[place]);
  return {
    sentences: counts.reduce((sum, { sentences }) => sum + sentences, 0),
    openings: counts.reduce((sum, { openings }) => sum + openings, 0),
  };
}

function format(count: Count): string {
  return count.sentences === 0
    ? "-".padStart(20)
    : `${count.openings} of ${count.sentences} (${share(count).toFixed(1)} %)`.padStart(20);
}

if (process.argv.includes("--list")) {
  console.log(hits.join("\n"));
}
console.log(`${"relative openings".padEnd(20)} ${"comments".padStart(20)} ${"strings".padStart(20)}`);
for (const [folder, { comments, strings }] of folders) {
  console.log(`${folder.padEnd(20)} ${format(comments)} ${format(strings)}`);
}

const figures: readonly (readonly [name: string, figure: number, limit: number])[] = [
  ["relative openings in comments, percent", share(total("comments")), LIMITS.openings.comments],
  ["relative openings in strings, percent", share(total("strings")), LIMITS.openings.strings],
  ...(["strings", "contract", "documents", "comments"] as const).map(
    (place) => [`banned words in ${place}`, words[place], LIMITS.words[place]] as const,
  ),
  [`lines of src above ${MAX_COLUMNS} columns`, longLines, LIMITS.longLines],
];
for (const [name, figure, limit] of figures) {
  const rounded = Math.ceil(figure * 10) / 10;
  const verdict = rounded > limit ? `above the limit of ${limit}; run with --list` : `limit ${limit}`;
  console.log(`${name}: ${rounded} (${verdict})`);
  process.exitCode = rounded > limit ? 1 : (process.exitCode ?? 0);
}
