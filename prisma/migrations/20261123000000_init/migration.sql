-- Keys compare by bytes (COLLATE "C"): inventories are cut by key range, and the agent orders keys the same way.

CREATE TABLE "cluster" (
    "account" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "uid" TEXT NOT NULL,
    "epoch" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_event_at" TIMESTAMPTZ(3),

    CONSTRAINT "cluster_pkey" PRIMARY KEY ("account", "name")
);

CREATE TABLE "agent_session" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "epoch" BIGINT NOT NULL,
    "instance_id" TEXT NOT NULL,
    "agent_version" TEXT NOT NULL,
    "reply_topic" TEXT NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "seen_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),
    "scope" BYTEA,
    "applied_sequence" BIGINT NOT NULL DEFAULT 0,
    "gap_sequence" BIGINT NOT NULL DEFAULT 0,
    "refused_sequence" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "agent_session_pkey" PRIMARY KEY ("account", "cluster", "epoch")
);

CREATE TABLE "kind_state" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "version" TEXT NOT NULL,
    "namespaces" TEXT[],
    "floor" DECIMAL(39,0) NOT NULL DEFAULT 0,
    "high_water_mark" DECIMAL(39,0) NOT NULL DEFAULT 0,
    "incarnation" BIGINT NOT NULL DEFAULT 0,
    "verified_at" TIMESTAMPTZ(3),

    CONSTRAINT "kind_state_pkey" PRIMARY KEY ("account", "cluster", "api_group", "resource")
);

CREATE TABLE "kubernetes_object" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "namespace" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "version" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "resource_version" TEXT NOT NULL,
    "observed_version" DECIMAL(39,0) NOT NULL,
    "incarnation" BIGINT NOT NULL DEFAULT 0,
    "content" JSONB,
    "checksum" BYTEA,
    "form" TEXT NOT NULL DEFAULT '',
    "managed_by" TEXT,
    "quarantine_reason" TEXT,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "kubernetes_object_pkey" PRIMARY KEY ("account", "cluster", "api_group", "resource", "namespace", "name"),
    CONSTRAINT "kubernetes_object_state_check" CHECK ("state" IN ('present', 'absent', 'quarantined')),
    CONSTRAINT "kubernetes_object_content_check" CHECK (("state" = 'present') = ("content" IS NOT NULL)),
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
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "error_reason" TEXT,
    "error_message" TEXT,
    "inventory_bytes" BIGINT NOT NULL DEFAULT 0,
    "repair_bytes" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "reconciliation_run_pkey" PRIMARY KEY ("account", "cluster", "id"),
    CONSTRAINT "reconciliation_run_trigger_check" CHECK ("trigger" IN ('INTERVAL', 'CONNECT', 'MANUAL')),
    CONSTRAINT "reconciliation_run_state_check" CHECK ("state" IN ('REQUESTED', 'COMPARING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'SUPERSEDED', 'EXPIRED')),
    CONSTRAINT "reconciliation_run_ended_check" CHECK (("ended_at" IS NULL) = ("state" IN ('REQUESTED', 'COMPARING')))
);

CREATE UNIQUE INDEX "reconciliation_run_account_id_key" ON "reconciliation_run"("account", "id");
CREATE INDEX "reconciliation_run_account_started_at_id_idx" ON "reconciliation_run"("account", "started_at" DESC, "id");

-- One active run per cluster.
CREATE UNIQUE INDEX "reconciliation_run_active_key" ON "reconciliation_run"("account", "cluster") WHERE "ended_at" IS NULL;

CREATE TABLE "reconciliation_kind" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "run_id" UUID NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "version" TEXT NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "listed" BIGINT NOT NULL DEFAULT 0,
    "equal" BIGINT NOT NULL DEFAULT 0,
    "put" BIGINT NOT NULL DEFAULT 0,
    "deleted" BIGINT NOT NULL DEFAULT 0,
    "failure_reason" TEXT,
    "failure_message" TEXT,

    CONSTRAINT "reconciliation_kind_pkey" PRIMARY KEY ("account", "cluster", "run_id", "api_group", "resource")
);

CREATE TABLE "reconciliation_finding" (
    "account" TEXT COLLATE "C" NOT NULL,
    "cluster" TEXT COLLATE "C" NOT NULL,
    "run_id" UUID NOT NULL,
    "api_group" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "namespace" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "version" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "found_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "reconciliation_finding_pkey" PRIMARY KEY ("account", "cluster", "run_id", "api_group", "resource", "namespace", "name"),
    CONSTRAINT "reconciliation_finding_type_check" CHECK ("type" IN ('MISSING', 'CHANGED', 'GHOST'))
);

-- Tombstones at or below a kind's new floor are purged; they are few, and this finds them without a scan.
CREATE INDEX "kubernetes_object_tombstone_idx" ON "kubernetes_object"("account", "cluster", "api_group", "resource", "observed_version") WHERE "state" = 'absent';

-- A row that anything but the ingester writes loses its checksum: it compares as different in the next run, so no
-- edit by hand goes unnoticed. The ingester says who it is with a setting of its transaction.
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
