-- Keys compare by bytes (COLLATE "C"): inventories are divided by key range, and the agent orders keys in the same way.

CREATE TABLE "cluster" (
    "account" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "uid" TEXT NOT NULL,
    "epoch" BIGINT NOT NULL,
    "first_epoch" BIGINT NOT NULL DEFAULT 0,
    "change_seq" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_event_at" TIMESTAMPTZ(3),
    "removed_at" TIMESTAMPTZ(3),

    CONSTRAINT "cluster_pkey" PRIMARY KEY ("account", "name")
);

CREATE TABLE "agent_session" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "epoch" BIGINT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "agent_version" TEXT NOT NULL,
    "kubernetes_version" TEXT NOT NULL,
    "reply_topic" TEXT NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "seen_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),
    "reserved_until" TIMESTAMPTZ(3),
    "scope" BYTEA,
    "scope_generation" BIGINT NOT NULL DEFAULT 0,
    "scope_sequence" BIGINT NOT NULL DEFAULT 0,
    "scope_parts" BYTEA,
    "scope_part_count" INTEGER NOT NULL DEFAULT 0,
    "scope_part_generation" BIGINT NOT NULL DEFAULT 0,
    "restart_reason" TEXT,
    "applied_sequence" BIGINT NOT NULL DEFAULT 0,
    "missing_parts" INTEGER NOT NULL DEFAULT 0,
    "gap_sequence" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "agent_session_pkey" PRIMARY KEY ("account", "cluster", "epoch")
);

CREATE TABLE "agent_standby" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "instance_id" TEXT NOT NULL,
    "agent_version" TEXT NOT NULL,
    "kept_since" TIMESTAMPTZ(3) NOT NULL,
    "seen_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "agent_standby_pkey" PRIMARY KEY ("account", "cluster", "instance_id")
);

CREATE TABLE "resource_state" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "api_version" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "singular" TEXT NOT NULL,
    "short_names" TEXT[],
    "namespaced" BOOLEAN NOT NULL,
    "categories" TEXT[],
    "verbs" TEXT[],
    "namespaces" TEXT[],
    "availability" TEXT NOT NULL DEFAULT 'READABLE',
    "joined_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "scope_epoch" BIGINT NOT NULL DEFAULT 0,
    "scope_generation" BIGINT NOT NULL DEFAULT 0,
    "ordered_by" TEXT,
    "low_watermark" DECIMAL(39,0) NOT NULL DEFAULT 0,
    "high_watermark" DECIMAL(39,0) NOT NULL DEFAULT 0,
    "purged_version" DECIMAL(39,0) NOT NULL DEFAULT 0,
    "incarnation" BIGINT NOT NULL DEFAULT 0,
    "compacted_seq" BIGINT NOT NULL DEFAULT 0,
    "present_rows" BIGINT NOT NULL DEFAULT 0,
    "quarantined_rows" BIGINT NOT NULL DEFAULT 0,
    "absent_rows" BIGINT NOT NULL DEFAULT 0,
    "refused_epoch" BIGINT NOT NULL DEFAULT 0,
    "refused_sequence" BIGINT NOT NULL DEFAULT 0,
    "verified_at" TIMESTAMPTZ(3),
    "failure_reason" TEXT,
    "failure_message" TEXT,
    "scrub_namespace" TEXT COLLATE "C" NOT NULL DEFAULT '',
    "scrub_name" TEXT COLLATE "C" NOT NULL DEFAULT '',

    CONSTRAINT "resource_state_pkey" PRIMARY KEY ("account", "cluster", "api_group", "resource"),
    CONSTRAINT "resource_state_availability_check" CHECK ("availability" IN ('READABLE', 'NOT_READABLE', 'UNDECIDED', 'WITHHELD')),
    CONSTRAINT "resource_state_ordered_by_check" CHECK ("ordered_by" IN ('VERSION', 'POSITION'))
);

CREATE TABLE "kubernetes_object" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "namespace" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "api_version" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "resource_version" TEXT NOT NULL,
    "observed_version" DECIMAL(39,0) NOT NULL,
    "incarnation" BIGINT NOT NULL DEFAULT 0,
    "content" JSONB,
    "checksum" BYTEA,
    "content_format" TEXT NOT NULL DEFAULT '',
    "managed_by" TEXT,
    "quarantine_reason" TEXT,
    "change_seq" BIGINT NOT NULL DEFAULT 0,
    "created_seq" BIGINT NOT NULL DEFAULT 0,
    "selector_seq" BIGINT NOT NULL DEFAULT 0,
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "labels" JSONB GENERATED ALWAYS AS ("content" #> '{metadata,labels}') STORED,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "kubernetes_object_pkey" PRIMARY KEY ("account", "cluster", "api_group", "resource", "namespace", "name"),
    CONSTRAINT "kubernetes_object_state_check" CHECK ("state" IN ('present', 'absent', 'quarantined')),
    CONSTRAINT "kubernetes_object_content_check" CHECK (CASE "state" WHEN 'present' THEN "content" IS NOT NULL WHEN 'quarantined' THEN "content" IS NULL ELSE TRUE END),
    CONSTRAINT "kubernetes_object_reason_check" CHECK (("state" = 'quarantined') = ("quarantine_reason" IS NOT NULL)),
    CONSTRAINT "kubernetes_object_checksum_check" CHECK (octet_length("checksum") = 32)
);

CREATE TABLE "reconciliation_run" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "id" UUID NOT NULL,
    "initiator" TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "epoch" BIGINT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "failure_reason" TEXT,
    "failure_message" TEXT,
    "inventory_bytes" BIGINT NOT NULL DEFAULT 0,
    "repair_bytes" BIGINT NOT NULL DEFAULT 0,
    "dry_run" BOOLEAN NOT NULL DEFAULT FALSE,
    "scope_notes" BYTEA,

    CONSTRAINT "reconciliation_run_pkey" PRIMARY KEY ("account", "cluster", "id"),
    CONSTRAINT "reconciliation_run_trigger_check" CHECK ("trigger" IN ('INTERVAL', 'CONNECT', 'MANUAL', 'CRON')),
    CONSTRAINT "reconciliation_run_state_check" CHECK ("state" IN ('REQUESTED', 'COMPARING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'SUPERSEDED', 'EXPIRED', 'WITHHELD')),
    CONSTRAINT "reconciliation_run_ended_check" CHECK (("ended_at" IS NULL) = ("state" IN ('REQUESTED', 'COMPARING')))
);

CREATE INDEX "cluster_account_uid_idx" ON "cluster"("account", "uid");

CREATE UNIQUE INDEX "reconciliation_run_account_id_key" ON "reconciliation_run"("account", "id");
CREATE INDEX "reconciliation_run_account_started_at_id_idx" ON "reconciliation_run"("account", "started_at" DESC, "id");
CREATE INDEX "reconciliation_run_account_cluster_started_at_idx" ON "reconciliation_run"("account", "cluster", "started_at" DESC);
CREATE INDEX "reconciliation_run_account_ended_at_idx" ON "reconciliation_run"("account", "ended_at");
CREATE INDEX "reconciliation_run_ended_at_idx" ON "reconciliation_run"("ended_at");
CREATE INDEX "agent_session_closed_at_idx" ON "agent_session"("closed_at");

-- One active run per cluster.
CREATE UNIQUE INDEX "reconciliation_run_active_key" ON "reconciliation_run"("account", "cluster") WHERE "ended_at" IS NULL;

CREATE TABLE "reconciliation_result" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "run_id" UUID NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "api_version" TEXT NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "listed" BIGINT NOT NULL DEFAULT 0,
    "equal" BIGINT NOT NULL DEFAULT 0,
    "put" BIGINT NOT NULL DEFAULT 0,
    "deleted" BIGINT NOT NULL DEFAULT 0,
    "compared" BIGINT NOT NULL DEFAULT 0,
    "managed" BIGINT NOT NULL DEFAULT 0,
    "gone" BIGINT NOT NULL DEFAULT 0,
    "unrepresentable" BIGINT NOT NULL DEFAULT 0,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "sent" BIGINT NOT NULL DEFAULT 0,
    "sent_incarnation" BIGINT NOT NULL DEFAULT 0,
    "sent_watermark" DECIMAL(39,0) NOT NULL DEFAULT 0,
    "first_sequence" BIGINT,
    "first_attempt" INTEGER NOT NULL DEFAULT 0,
    "created" BIGINT NOT NULL DEFAULT 0,
    "withheld" BIGINT NOT NULL DEFAULT 0,
    "format_changes" BIGINT NOT NULL DEFAULT 0,
    "scope_changes" BIGINT NOT NULL DEFAULT 0,
    "not_readable" BOOLEAN NOT NULL DEFAULT FALSE,
    "failure_reason" TEXT,
    "failure_message" TEXT,

    CONSTRAINT "reconciliation_result_pkey" PRIMARY KEY ("account", "cluster", "run_id", "api_group", "resource")
);

CREATE TABLE "reconciliation_finding" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "run_id" UUID NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "namespace" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "api_version" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "differences" JSONB NOT NULL DEFAULT '[]',
    "found_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "reconciliation_finding_pkey" PRIMARY KEY ("account", "cluster", "run_id", "api_group", "resource", "namespace", "name"),
    CONSTRAINT "reconciliation_finding_type_check" CHECK ("type" IN ('MISSING_ROW', 'STALE_ROW', 'GHOST_ROW')),
    CONSTRAINT "reconciliation_finding_cause_check" CHECK ("cause" IN ('MISSED_CHANGE', 'MANUAL_EDIT', 'GHOST', 'UNKNOWN'))
);

CREATE TABLE "dry_run_finding" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "run_id" UUID NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "namespace" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "api_version" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "differences" JSONB NOT NULL DEFAULT '[]',
    "found_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "dry_run_finding_pkey" PRIMARY KEY ("account", "cluster", "run_id", "api_group", "resource", "namespace", "name"),
    CONSTRAINT "dry_run_finding_type_check" CHECK ("type" IN ('MISSING_ROW', 'STALE_ROW', 'GHOST_ROW')),
    CONSTRAINT "dry_run_finding_cause_check" CHECK ("cause" IN ('MISSED_CHANGE', 'MANUAL_EDIT', 'GHOST', 'UNKNOWN'))
);

CREATE TABLE "deletion_set" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "id" UUID NOT NULL,
    "origin" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "decided_at" TIMESTAMPTZ(3),
    "decided_by" TEXT NOT NULL DEFAULT '',
    "run_id" UUID,
    "claimed_at" TIMESTAMPTZ(3),

    CONSTRAINT "deletion_set_pkey" PRIMARY KEY ("account", "cluster", "id"),
    CONSTRAINT "deletion_set_origin_check" CHECK ("origin" IN ('RUN', 'SCOPE')),
    CONSTRAINT "deletion_set_state_check" CHECK ("state" IN ('WITHHELD', 'REJECTED', 'APPLIED', 'SUPERSEDED'))
);

CREATE UNIQUE INDEX "deletion_set_account_id_key" ON "deletion_set"("account", "id");
CREATE INDEX "deletion_set_account_created_at_id_idx" ON "deletion_set"("account", "created_at" DESC, "id");
CREATE INDEX "deletion_set_decided_at_idx" ON "deletion_set"("decided_at");

-- A cluster has at most one open set of each origin.
CREATE UNIQUE INDEX "deletion_set_open_key" ON "deletion_set"("account", "cluster", "origin") WHERE "state" IN ('WITHHELD', 'REJECTED');

CREATE TABLE "deletion_set_resource" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "set_id" UUID NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "api_version" TEXT NOT NULL,
    "rows" BIGINT NOT NULL,
    "deletions" BIGINT NOT NULL,
    "detail" TEXT NOT NULL,
    "needs_approval" BOOLEAN NOT NULL DEFAULT FALSE,

    CONSTRAINT "deletion_set_resource_pkey" PRIMARY KEY ("account", "cluster", "set_id", "api_group", "resource")
);

CREATE TABLE "staged_deletion" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "namespace" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "uid" TEXT NOT NULL,
    "observed_version" DECIMAL(39,0) NOT NULL,
    "incarnation" BIGINT,
    "run_id" UUID NOT NULL,
    "claimed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "staged_deletion_pkey" PRIMARY KEY ("account", "cluster", "api_group", "resource", "namespace", "name")
);

-- The purge of a resource type's tombstones finds them without a scan. observed_version is not in the index, because
-- every write changes it: no update could be heap-only (docs/adr/0002-object-table-layout.md).
CREATE INDEX "kubernetes_object_tombstone_idx" ON "kubernetes_object"("account", "cluster", "api_group", "resource") WHERE "state" = 'absent';

-- A run counts the rows of a resource type by indexes alone: all of them, the tombstones, and these.
CREATE INDEX "kubernetes_object_quarantined_idx" ON "kubernetes_object"("account", "cluster", "api_group", "resource") WHERE "state" = 'quarantined';

-- Rows change often and the table is large: the default of 20 % dead rows before a vacuum lets it grow by a quarter.
ALTER TABLE "kubernetes_object" SET (autovacuum_vacuum_scale_factor = 0.02);

-- Most contents exceed the size from which Postgres compresses a value, and lz4 takes a fraction of the time of the
-- default. Not every build of Postgres has it.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
    ALTER TABLE "kubernetes_object" ALTER COLUMN "content" SET COMPRESSION lz4;
  END IF;
END
$$;

-- A row that anything except the ingester writes loses its checksum: it compares as different in the next run, so no
-- manual edit goes unnoticed. The ingester identifies itself by a setting of its transaction.
CREATE FUNCTION evenkeel_distrust_foreign_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.checksum := NULL;
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER "kubernetes_object_distrust_foreign_write"
BEFORE INSERT OR UPDATE ON "kubernetes_object"
FOR EACH ROW
WHEN (current_setting('evenkeel.writer', true) IS DISTINCT FROM 'ingester')
EXECUTE FUNCTION evenkeel_distrust_foreign_write();

-- Ordinary triggers do not fire for logical replication and other sessions with the replica role.
ALTER TABLE "kubernetes_object" ENABLE ALWAYS TRIGGER "kubernetes_object_distrust_foreign_write";
