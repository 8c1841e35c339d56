import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { toReason } from "../../src/bus/pulsar/admin/admin-error.ts";
import { toHandshakeError } from "../../src/bus/pulsar/websocket/handshake-refusal.ts";
import { duration } from "../../src/config/value-types.ts";
import { canonicalize, canonicalNumber, parseExact } from "../../src/domain/canonical-json.ts";
import { canonicalizeJsonbText } from "../../src/domain/canonical-text.ts";
import { isAccountName, isClusterName } from "../../src/domain/limits.ts";
import { parseKey } from "../../src/domain/object-key.ts";
import { parseResourceType } from "../../src/domain/resource-type.ts";
import { parseResourceVersion } from "../../src/domain/resource-version.ts";
import { scanCanonical } from "../../src/domain/scan-canonical.ts";
import { splitLines } from "../../src/kube/watch.ts";
import { runWhole } from "../../src/lib/slices.ts";
import { trimEnd } from "../../src/lib/text.ts";
import { readPemBlocks } from "../../src/rpc/auth/jwt/keys.ts";
import { decodeToken } from "../../src/rpc/auth/jwt/verify.ts";
import { measureGrowth } from "../support/growth.ts";

const root = resolve(import.meta.dirname, "../..");

/** One character of each class that a scan may treat equally, and pairs of classes that it may confuse. */
const RUNS = [..."a0A9 \n-./:_=+,[<\"'e", "é", "1e", "1.", "a-", "a.", "0/", "-----BEGIN ", "\\", "\ud800"];
/** Prefixes: some scans match a run only after one of these. */
const BEGINNINGS = ["", ":", "[", "1", "1.", "1e", "a", "-----BEGIN ", "<title>", '"errorMsg":"'];
/** Suffix with which no pattern matches the whole text. */
const END = "\u0000x";

/** Yields the regular expressions of the sources, except those in comments. */
function* regularExpressions(): Generator<readonly [source: string, flags: string]> {
  const literal =
    /(?<=(?:[=(,:?&|!]|return)\s*)\/((?:[^/\\\n[*]|\\.|\[(?:[^\]\\\n]|\\.)*\])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])*)\/([dgimsuvy]*)(?=[.,;) \n])/g;
  for (const path of globSync("src/**/*.ts", { cwd: root })) {
    const code = readFileSync(resolve(root, path), "utf8").replaceAll(
      /\/\*\*?\s.*?\*\/|^ *\/\/[^\n]*/gms,
      "",
    );
    for (const [, source = "", flags = ""] of code.matchAll(literal)) {
      yield [source, flags.replaceAll(/[gy]/g, "")];
    }
  }
  for (const path of globSync("proto/evenkeel/**/*.proto", { cwd: root })) {
    for (const [, source = ""] of readFileSync(resolve(root, path), "utf8").matchAll(/pattern: "(.*)"/g)) {
      yield [JSON.parse(`"${source}"`) as string, "u"];
    }
  }
}

const swallow =
  <T>(scan: (input: T) => unknown) =>
  (input: T): unknown => {
    try {
      return scan(input);
    } catch (error) {
      return error;
    }
  };

const scan = (text: string): void => scanCanonical(Buffer.from(text));
const exactly = (text: string): unknown => canonicalize(parseExact(text));

/** All functions that scan texts from outside. */
const SCANS: Readonly<Record<string, (text: string) => unknown>> = {
  "a string in JSON": (text) => exactly(JSON.stringify({ data: text })),
  "the beginning of JSON": exactly,
  "a JSON array": (text) => exactly(`[${text}]`),
  "a string of content": (text) => scan(JSON.stringify(text)),
  "a key of content": (text) => scan(`{${JSON.stringify(text)}:1,${JSON.stringify(`${text}\n`)}:2}`),
  "a value of content": (text) => scan(`[${text}]`),
  "a string of jsonb": (text) => runWhole(canonicalizeJsonbText(JSON.stringify([text]))),
  "a key of jsonb": (text) =>
    runWhole(canonicalizeJsonbText(JSON.stringify({ [text]: 1, [`${text}\n`]: 2 }))),
  "an array of jsonb": (text) => runWhole(canonicalizeJsonbText(JSON.stringify([...text].map(() => 1.5)))),
  canonicalNumber,
  "a number in JSON": (text) => exactly(`[1${text}1]`),
  "a number with zeros inside": (text) => canonicalNumber(`1${text}1`),
  parseKey,
  parseResourceType,
  parseVersion: parseResourceVersion,
  isAccountName,
  isClusterName,
  "a duration": (text) => duration.schema.safeParse(text),
  "a token": decodeToken,
  "a PEM text": readPemBlocks,
  "a reason of Pulsar": toReason,
  "a reason of Jetty": (text) => toHandshakeError("x", 500, text),
  trimEnd: (text) => trimEnd(text, text.at(-1) ?? ""),
};

/** Returns a prefix and a run for which the scan takes superlinear time; undefined if there are none. */
function findSuperlinear(scan: (text: string) => unknown): string | undefined {
  for (const beginning of BEGINNINGS) {
    for (const run of RUNS) {
      for (const end of ["", END]) {
        const make = (length: number): string => beginning + run.repeat(length / run.length) + end;
        const growth = measureGrowth(make, swallow(scan));
        if (growth >= 3) {
          return `${JSON.stringify(beginning + run)}... grows by ${growth.toFixed(1)} when it doubles`;
        }
      }
    }
  }
  return undefined;
}

describe("the time is linear in the length of the input", () => {
  it.each(Object.entries(SCANS))("of %s", (_, scan) => {
    expect(findSuperlinear(scan)).toBeUndefined();
  });

  it("of each regular expression in the sources and in the contract", () => {
    const all = [...regularExpressions()];
    // A pattern that finds no literals would prove nothing.
    expect(all.length).toBeGreaterThan(45);
    for (const [source, flags] of all) {
      const regularExpression = new RegExp(source, flags);
      expect(
        findSuperlinear((text) => regularExpression.test(text)),
        `/${source}/${flags}`,
      ).toBeUndefined();
    }
  });
});

describe("lines of a stream", () => {
  /** Splits a stream of `count` one-byte chunks. Copying all earlier bytes for each chunk would take quadratic time. */
  async function split(count: number): Promise<string[]> {
    const chunk = Uint8Array.of(0x61);
    const body = (async function* () {
      for (let i = 0; i < count; i++) {
        yield chunk;
      }
      yield Uint8Array.of(0x0a);
    })();
    return Array.fromAsync(splitLines(body, count));
  }

  it("take linear time if they arrive byte by byte", async () => {
    expect((await split(100_000))[0]).toHaveLength(100_000);
  });
});
