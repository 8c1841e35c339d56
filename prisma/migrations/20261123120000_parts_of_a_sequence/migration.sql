-- What an agent sends in one message may travel in several; a part that is lost is a gap.
ALTER TABLE "agent_session" ADD COLUMN "missing_parts" INTEGER NOT NULL DEFAULT 0;
