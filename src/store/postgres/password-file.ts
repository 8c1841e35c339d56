import { readPrivateFile } from "../../lib/private-file.ts";

/** The connection that a password is for. */
export interface Login {
  readonly host: string;
  readonly port: string;
  readonly database: string;
  readonly user: string;
}

/** Default directories of Unix sockets, of which password files have entries under the name "localhost". */
const SOCKET_DIRECTORIES = ["/tmp", "/var/run/postgresql"];

/**
 * Returns the password of the first entry for `login` in the text of a password file (PostgreSQL documentation, 34.16):
 * lines of host:port:database:user:password, in which `*` matches everything and `\` escapes a character.
 */
export function findPassword(text: string, { host, port, database, user }: Login): string | undefined {
  const name = SOCKET_DIRECTORIES.includes(host) ? "localhost" : host;
  const wanted = [name, port, database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) {
      continue;
    }
    const fields = [...line.matchAll(/((?:[^:\\]|\\(?:.|$))*)(?::|$)/g)].map(([, field = ""]) =>
      withoutEscapes(field),
    );
    const password = fields[wanted.length];
    if (password && wanted.every((value, index) => fields[index] === "*" || fields[index] === value)) {
      return password;
    }
  }
  return undefined;
}

function withoutEscapes(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

/**
 * Returns the password of a file; undefined if the file does not exist or has none for this login.
 *
 * @throws ConfigError if other users may read the file
 */
export function readPassword(path: string, login: Login): string | undefined {
  try {
    return findPassword(readPrivateFile(path), login);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}
