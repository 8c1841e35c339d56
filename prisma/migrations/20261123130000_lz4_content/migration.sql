-- Contents are mostly above the size from which Postgres compresses a value, and lz4 takes a fraction of the time of its
-- default. Not every build of Postgres has it.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
    ALTER TABLE "kubernetes_object" ALTER COLUMN "content" SET COMPRESSION lz4;
  END IF;
END
$$;
