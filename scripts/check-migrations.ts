/**
 * Fails if prisma/schema.prisma and prisma/migrations disagree. It applies the migrations to an empty embedded Postgres
 * and compares that database with the schema by Prisma's schema engine, in its WebAssembly build, which needs no
 * download.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import * as engine from "@prisma/schema-engine-wasm/schema_engine_bg";
import pg from "pg";
import { openEmbeddedPostgres } from "../src/dev/embedded-postgres/embedded-postgres.ts";
import { migrate } from "../src/store/postgres/migrate.ts";

const SCHEMA = "prisma/schema.prisma";
const NOTHING = "-- This is an empty migration.";

const CHAR_OID = 18;
const TEXT_OID = 25;

await using postgres = await openEmbeddedPostgres();
await migrate(postgres.url);
await loadEngine();
readInternalChar();

const files = [{ path: SCHEMA, content: readFileSync(SCHEMA, "utf8") }];
const schemaEngine = await engine.SchemaEngine.new(
  { datamodels: [[SCHEMA, readFileSync(SCHEMA, "utf8")]] },
  () => {},
  bindMigrationAwareSqlAdapterFactory(new PrismaPg({ connectionString: postgres.url })),
);
const difference = await schemaEngine.diff({
  from: { tag: "schemaDatasource", files, configDir: process.cwd() },
  to: { tag: "schemaDatamodel", files },
  script: true,
  exitCode: null,
  filters: { externalTables: [], externalEnums: [] },
});
if ((difference.stdout ?? "").trim() !== NOTHING) {
  console.error(`${SCHEMA} and prisma/migrations disagree; add a migration with:\n\n${difference.stdout}`);
  process.exitCode = 1;
}

/** Loads the engine. The package's own entry imports its .wasm as a module, which Node supports only with a flag. */
async function loadEngine(): Promise<void> {
  const file = createRequire(import.meta.url)
    .resolve("@prisma/schema-engine-wasm")
    .replace(/\.js$/, "_bg.wasm");
  const { instance } = await WebAssembly.instantiate(readFileSync(file), {
    "./schema_engine_bg.js": engine as unknown as WebAssembly.ModuleImports,
  });
  engine.__wbg_set_wasm(instance.exports);
  (instance.exports["__wbindgen_start"] as () => void)();
}

/**
 * Reads columns of Postgres's internal type `"char"` as text, because the adapter refuses that type. Constraints are
 * omitted: the engine needs their type as a character, and Prisma's schema cannot express them.
 */
function readInternalChar(): void {
  const { prototype } = pg.Result as unknown as { prototype: ResultPrototype };
  const { addFields } = prototype;
  prototype.addFields = function (fields) {
    for (const field of fields) {
      field.dataTypeID = field.dataTypeID === CHAR_OID ? TEXT_OID : field.dataTypeID;
    }
    addFields.call(this, fields);
    if (fields.some(({ name }) => name === "constraint_type")) {
      this.addRow = () => {};
    }
  };
}

interface ResultPrototype {
  addFields(fields: { readonly name: string; dataTypeID: number }[]): void;
  addRow(row: unknown): void;
}
