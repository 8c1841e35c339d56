import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rootCertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { query } from "../../../deploy/local/components/postgres-server.ts";
import { NEVER } from "../../../src/lib/abort.ts";
import { ConfigError } from "../../../src/lib/errors.ts";
import { toConnectionOptions } from "../../../src/store/postgres/connection-options.ts";
import { createDatabase } from "../../../src/store/postgres/database.ts";
import { listPendingMigrations } from "../../../src/store/postgres/migrate.ts";
import { withSingleClient } from "../../../src/store/postgres/single-client.ts";
import { describeWithOwnPostgres } from "../../support/postgres/own-postgres.ts";

const fileOf = (name: string): string => fileURLToPath(new URL(`../../support/tls/${name}`, import.meta.url));
const ROOT = fileOf("loopback.cert.pem");
/** The common name of the certificate, which is that of a client too. */
const CERTIFIED = "tests on the loopback interface";
const PASSWORD = "a:b/c@d#e?f%25";

const RULES = `
hostnossl all no_tls all trust
hostssl all only_tls all trust
hostssl all "${CERTIFIED}" all cert
host all with_password all scram-sha-256
host all evenkeel all trust
`;

/** True if the server sees TLS on the connection. */
async function usesTls(url: string): Promise<boolean | undefined> {
  return await withSingleClient(NEVER, { url }, async (client) => {
    const { rows } = await client.query<{ ssl: boolean }>(
      "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    return rows[0]?.ssl;
  });
}

describeWithOwnPostgres("a Postgres server with and without TLS", (postgres) => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-tls-"));
  const key = join(folder, "client.key");
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  beforeAll(() => {
    copyFileSync(fileOf("loopback.key.pem"), key);
    process.on("warning", onWarning);
  });
  afterAll(() => {
    process.off("warning", onWarning);
    rmSync(folder, { recursive: true });
    expect(warnings).toEqual([]);
  });

  /** The server's URL with another user, other parameters, and another name of the host. */
  const urlOf = (parameters: string, user = "evenkeel", host = "127.0.0.1"): string => {
    const { port } = new URL(postgres().url);
    return `postgres://${encodeURIComponent(user)}@${host}:${port}/postgres${parameters}`;
  };

  describe("before it has TLS (L29)", () => {
    test.each(["", "?sslmode=disable", "?sslmode=prefer"])(
      "it is used without TLS by %j",
      async (parameters) => {
        expect(await usesTls(urlOf(parameters))).toBe(false);
      },
    );

    test("it is reached by its Unix socket, by the host of the URL or of the query", async () => {
      const folder = dirname(postgres().dataDirectory);
      const { port } = new URL(postgres().url);
      expect(await usesTls(`postgres://evenkeel@${encodeURIComponent(folder)}:${port}/postgres`)).toBe(false);
      const query = `host=${folder}&port=${port}&user=evenkeel&sslmode=verify-full`;
      expect(await usesTls(`postgres:///postgres?${query}`)).toBe(false);
    });

    test.each(["require", "verify-full"])("it is refused by sslmode=%s", async (mode) => {
      await expect(usesTls(urlOf(`?sslmode=${mode}`))).rejects.toThrow("does not support SSL");
    });
  });

  describe("with TLS of an authority of its own (L29)", () => {
    beforeAll(async () => {
      await query(
        postgres().url,
        "CREATE ROLE no_tls LOGIN",
        "CREATE ROLE only_tls LOGIN",
        `CREATE ROLE "${CERTIFIED}" LOGIN`,
        `CREATE ROLE with_password LOGIN PASSWORD '${PASSWORD}'`,
      );
      await postgres().restart(async () => {
        const { dataDirectory } = postgres();
        const { uid, gid } = statSync(dataDirectory);
        for (const [name, source] of [
          ["server.crt", ROOT],
          ["server.key", fileOf("loopback.key.pem")],
        ] as const) {
          copyFileSync(source, join(dataDirectory, name));
          chownSync(join(dataDirectory, name), uid, gid);
        }
        chmodSync(join(dataDirectory, "server.key"), 0o600);
        appendFileSync(join(dataDirectory, "postgresql.auto.conf"), "ssl = on\nssl_ca_file = 'server.crt'\n");
        writeFileSync(join(dataDirectory, "pg_hba.conf"), RULES);
      });
      chmodSync(key, 0o600);
    });

    test.each<[string, boolean, string?]>([
      ["", false, "no_tls"],
      ["?sslmode=disable", false, "no_tls"],
      ["?sslmode=prefer", true, "only_tls"],
      ["?sslmode=require", true, "only_tls"],
      ["?ssl=true", true, "only_tls"],
      [`?sslmode=require&sslrootcert=${ROOT}`, true],
      [`?sslmode=verify-ca&sslrootcert=${ROOT}`, true],
      [`?sslmode=verify-full&sslrootcert=${ROOT}`, true],
    ])("%s by the server's address: TLS is %j", async (parameters, expected, user) => {
      expect(await usesTls(urlOf(parameters, user))).toBe(expected);
    });

    test("verify-full refuses a name that the certificate lacks; verify-ca and require do not check it", async () => {
      const by = (mode: string): Promise<boolean | undefined> =>
        usesTls(urlOf(`?sslmode=${mode}&sslrootcert=${ROOT}`, "evenkeel", "localhost"));
      await expect(by("verify-full")).rejects.toThrow(/altnames/);
      expect(await by("verify-ca")).toBe(true);
      expect(await by("require")).toBe(true);
    });

    test("an authority that is not trusted is refused by verify-full, and by all modes with another root", async () => {
      await expect(usesTls(urlOf("?sslmode=verify-full"))).rejects.toThrow(/self-signed certificate/);
      const other = join(folder, "other.crt");
      writeFileSync(other, rootCertificates[0] ?? "");
      for (const [mode, root] of [
        ["verify-full", "system"],
        ["verify-full", other],
        ["verify-ca", other],
        ["require", other],
      ]) {
        const url = urlOf(`?sslmode=${mode}&sslrootcert=${root}`);
        await expect(usesTls(url), `${mode} ${root}`).rejects.toThrow(/self-signed certificate/);
      }
    });

    test("a client certificate logs in", async () => {
      const client = `sslcert=${ROOT}&sslkey=${key}`;
      expect(await usesTls(urlOf(`?sslmode=require&${client}`, CERTIFIED))).toBe(true);
      await expect(usesTls(urlOf("?sslmode=require", CERTIFIED))).rejects.toThrow(/certificate/);
    });

    test("programs, Prisma and migrations use the same options", async () => {
      const url = urlOf(`?sslmode=verify-full&sslrootcert=${ROOT}`, "only_tls");
      await using database = createDatabase({ url });
      const SELECT = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
      expect((await database.pool.query(SELECT)).rows).toEqual([{ ssl: true }]);
      expect(await database.prisma.$queryRawUnsafe(SELECT)).toEqual([{ ssl: true }]);
      await expect(listPendingMigrations(urlOf("", "only_tls"))).rejects.toThrow("no pg_hba.conf entry");
      expect((await listPendingMigrations(urlOf(`?sslmode=require`))).length).toBe(0);
    });

    test("a password is that of the URL, or of a file that only its user may read", async () => {
      const url = urlOf("", "with_password");
      const withPassword = url.replace("@", `:${encodeURIComponent(PASSWORD)}@`);
      expect(await usesTls(withPassword)).toBe(false);
      const path = join(folder, "passwords");
      const entry = `127.0.0.1:*:postgres:with_password:${PASSWORD.replace(":", "\\:")}\n`;
      writeFileSync(path, entry, { mode: 0o600 });
      expect(await usesTls(`${url}?passfile=${path}`)).toBe(false);
      chmodSync(path, 0o644);
      await expect(usesTls(`${url}?passfile=${path}`)).rejects.toThrow(
        /password file .*found 0644; run "chmod 600/,
      );
      await expect(usesTls(`${url}?passfile=/no/file`)).rejects.toThrow(
        /the server requires a password of "with_password".*PGPASSWORD.*\/no\/file/,
      );
      await expect(usesTls(`${url}?password=S3cr3tPw`)).rejects.not.toThrow("S3cr3tPw");
    });

    test.each([
      ["sslmode=verify-ca", "sslrootcert: required by sslmode=verify-ca"],
      ["sslmode=require&sslrootcert=system", "sslmode: expected verify-full with sslrootcert=system"],
      [`sslmode=prefer&sslrootcert=${ROOT}`, "sslrootcert: has no use with sslmode=prefer"],
      [`sslmode=require&sslrootcert=${key}`, "sslrootcert: .* expected certificates in PEM"],
      ["sslmode=require&sslrootcert=/no/file", "sslrootcert: /no/file: cannot be read: ENOENT"],
      [
        `sslmode=require&sslcert=${ROOT}&sslkey=${fileOf("loopback.key.pem")}`,
        "sslkey: .* expected mode 0600",
      ],
      [`sslmode=require&sslcert=${ROOT}&sslkey=${ROOT}`, "sslkey: .*0600|cannot be used"],
    ])("%s is refused at once", (parameters, message) => {
      const create = () => toConnectionOptions(urlOf(`?${parameters}`), { HOME: folder });
      expect(create).toThrow(ConfigError);
      expect(create).toThrow(new RegExp(`^database URL: .*${message}`));
    });
  });
});
