import fc from "fast-check";
import { Client } from "pg";
import { expect, test } from "vitest";
import { canonicalize, parseExact } from "../../../src/domain/canonical-json.ts";
import { canonicalizeJsonbText } from "../../../src/domain/canonical-text.ts";
import { runWhole } from "../../../src/lib/slices.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";

// jsonb holds neither.
const text = fc.string({ unit: "binary" }).map((found) => found.toWellFormed().replaceAll("\0", "0"));
const number = fc.oneof(
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 })
    .map((found) => JSON.stringify(found)),
  fc.constantFrom("0.10", "-0.0", "1e20", "1.50E+3", "100", "1e-7"),
);
const { value: json } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    number,
    text.map((found) => JSON.stringify(found)),
    fc.constantFrom("true", "false", "null"),
    tie("array"),
    tie("object"),
  ),
  array: fc.array(tie("value")).map((items) => `[${items.join(" , ")}]`),
  object: fc
    .uniqueArray(fc.tuple(text, tie("value")), { selector: ([name]) => name })
    .map((members) => `{${members.map(([name, item]) => `${JSON.stringify(name)} : ${item}`).join(",")}}`),
}));

describeWithPostgres("the text that Postgres returns for a jsonb value", (database) => {
  test("has the canonical text of the value that was stored", async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(json, { minLength: 20, maxLength: 60 }), async (texts) => {
          const { rows } = await client.query<{ stored: string }>(
            "SELECT value::jsonb::text AS stored FROM unnest($1::text[]) WITH ORDINALITY AS v(value, place) ORDER BY place",
            [texts],
          );
          expect(rows.map(({ stored }) => runWhole(canonicalizeJsonbText(stored)))).toEqual(
            texts.map((found) => canonicalize(parseExact(found))),
          );
        }),
        { numRuns: 50 },
      );
    } finally {
      await client.end();
    }
  });
});
