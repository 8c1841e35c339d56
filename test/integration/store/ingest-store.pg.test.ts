import { describeIngestStore } from "../../contract/ingest-store/ingest-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";

describeWithPostgres("on a real Postgres", (database) => describeIngestStore("Postgres", database));
