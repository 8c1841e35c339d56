/** A layout of the object table. */
export interface ObjectLayout {
  readonly name: string;
  /** Statements that change the empty table of the migrations. */
  readonly ddl: readonly string[];
}

/** The table of the migrations. */
export const MIGRATED: ObjectLayout = { name: "as migrated", ddl: [] };

/**
 * An index of tombstones with the observed version, and the default of autovacuum. Each write changes that version, and
 * Postgres uses no heap-only tuple (HOT) if a column of any index changes, even of a partial index without the row.
 */
const WIDE_TOMBSTONES = [
  `DROP INDEX kubernetes_object_tombstone_idx`,
  `CREATE INDEX kubernetes_object_tombstone_idx
   ON kubernetes_object (account, cluster, api_group, resource, observed_version) WHERE state = 'absent'`,
  `ALTER TABLE kubernetes_object RESET (autovacuum_vacuum_scale_factor)`,
];

/** Returns a layout with hash partitions by account and cluster. */
export function partitioned(count: number): ObjectLayout {
  return {
    name: `${count} partitions`,
    ddl: [
      `CREATE TABLE parted (LIKE kubernetes_object INCLUDING ALL) PARTITION BY HASH (account, cluster)`,
      `DROP TABLE kubernetes_object`,
      `ALTER TABLE parted RENAME TO kubernetes_object`,
      ...Array.from(
        { length: count },
        (_, index) =>
          `CREATE TABLE kubernetes_object_${index} PARTITION OF kubernetes_object
           FOR VALUES WITH (MODULUS ${count}, REMAINDER ${index})`,
      ),
      `CREATE TRIGGER kubernetes_object_distrust_foreign_write BEFORE INSERT OR UPDATE ON kubernetes_object
       FOR EACH ROW WHEN (current_setting('evenkeel.writer', true) IS DISTINCT FROM 'ingester')
       EXECUTE FUNCTION evenkeel_distrust_foreign_write()`,
    ],
  };
}

/** Returns a layout with these storage parameters. */
export function withParameters(parameters: StorageParameters): ObjectLayout {
  return { name: describe(parameters), ddl: [set(parameters)] };
}

/** Returns a layout with a tombstone index that prevents heap-only tuples, and these storage parameters. */
export function withWideIndex(parameters: StorageParameters = {}): ObjectLayout {
  const name = ["wide index", describe(parameters)].filter(Boolean).join(", ");
  return { name, ddl: [...WIDE_TOMBSTONES, ...(name === "wide index" ? [] : [set(parameters)])] };
}

type StorageParameters = Readonly<Record<string, number>>;

function describe(parameters: StorageParameters): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name.replace("autovacuum_", "")} ${value}`)
    .join(", ");
}

function set(parameters: StorageParameters): string {
  const list = Object.entries(parameters).map(([name, value]) => `${name} = ${value}`);
  return `ALTER TABLE kubernetes_object SET (${list.join(", ")})`;
}
