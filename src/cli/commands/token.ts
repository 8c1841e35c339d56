import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_AUDIENCE } from "../../config/fields/auth.ts";
import { clusterName } from "../../config/programs/agent.ts";
import { duration } from "../../config/value-types.ts";
import { isAccountName } from "../../domain/limits.ts";
import { ConfigError, TerminalError, toMessage } from "../../lib/errors.ts";
import { readPrivateFile } from "../../lib/private-file.ts";
import { keyIdOf, type PrivateKey, parsePrivateKey, readPublicKeys } from "../../rpc/auth/jwt/keys.ts";
import type { CliContext } from "../context.ts";
import { createOutputOption, parseAs } from "../options.ts";
import { formatJson, type OutputFormat } from "../output/message.ts";
import { formatProperties } from "../output/table.ts";
import { formatToken } from "../output/token.ts";

const EXAMPLES = `
Examples:
  $ evenkeel token keygen tokens.key
  $ evenkeel server --auth-public-keys tokens.key.pub
  $ evenkeel token create --key tokens.key --account shop --cluster prod-1 --out prod-1.token
  $ evenkeel agent --cluster prod-1 --token-file prod-1.token
`;

/** `evenkeel token ...` */
export function createTokenCommand(context: CliContext): Command {
  return new Command("token")
    .summary("create keys and tokens, and inspect tokens")
    .description("Create the keys and tokens that authenticate agents and people, and inspect tokens.")
    .addCommand(createTokenKeygenCommand(context))
    .addCommand(createTokenCreateCommand(context))
    .addCommand(createTokenInspectCommand(context))
    .addHelpText("after", EXAMPLES);
}

interface CreateFlags {
  readonly key: string;
  readonly account: string;
  readonly cluster?: string;
  readonly subject?: string;
  readonly audience: string;
  readonly expiresIn: number;
  readonly out?: string;
}

const DAY_MS = 86_400_000;

const CREATE_EXAMPLES = `
Examples:
  $ evenkeel token create --key tokens.key --account shop --cluster prod-1 --out prod-1.token
  $ evenkeel token create --key tokens.key --account shop --expires-in 8h --subject ann@shop.example
`;

/** `evenkeel token create` */
function createTokenCreateCommand({ clock, print }: CliContext): Command {
  return new Command("create")
    .summary("create a token")
    .description("Create a token (a JWT) for an account, or for one cluster of it.")
    .requiredOption(
      "--key <path>",
      'File of the private key, created by "evenkeel token keygen"; only its user may read it',
    )
    .requiredOption("--account <name>", "Account of the bearer", parseAccount)
    .option(
      "--cluster <name>",
      "Only cluster that the bearer may access; unset: all of the account",
      parseAs(clusterName),
    )
    .addOption(
      new Option("--expires-in <duration>", "Lifetime of the token")
        .argParser(parseAs(duration))
        .default(90 * DAY_MS, "90d"),
    )
    .option("--subject <text>", "Name of the bearer for the server's log (sub claim)")
    .option("--audience <name>", "Audience that the server expects (aud claim)", DEFAULT_AUDIENCE)
    .option("--out <path>", "New file for the token, readable by its user only; unset: standard output")
    .addHelpText("after", CREATE_EXAMPLES)
    .action(async ({ key, expiresIn, out, ...claims }: CreateFlags) => {
      const privateKey = readPrivateKey(key);
      // Loaded here because it takes most of the start-up time.
      const { signToken } = await import("../../rpc/auth/jwt/sign.ts");
      const issuedAt = clock.now();
      const expiresAt = new Date(issuedAt.getTime() + expiresIn);
      const token = await signToken(privateKey, { ...claims, issuedAt, expiresAt });
      if (out === undefined) {
        print(`${token}\n`);
      } else {
        writeNewFile(out, `${token}\n`, 0o600);
      }
    });
}

function parseAccount(text: string): string {
  if (!isAccountName(text)) {
    throw new InvalidArgumentError("Expected 1 to 253 characters, none of them a control character.");
  }
  return text;
}

function readPrivateKey(path: string): PrivateKey {
  try {
    return parsePrivateKey(readPrivateFile(path));
  } catch (cause) {
    throw new ConfigError(`private key ${path}: cannot be read: ${toMessage(cause)}`, { cause });
  }
}

interface InspectFlags {
  readonly publicKey?: string;
  readonly audience: string;
  readonly output: OutputFormat;
}

const INSPECT_EXAMPLES = `
Examples:
  $ evenkeel token inspect --public-key tokens.key.pub < prod-1.token
  $ evenkeel token inspect eyJhbGciOiJFZERTQSJ9.eyJhY2NvdW50Ijoic2hvcCJ9.c2ln --output json
`;

/** `evenkeel token inspect [TOKEN]` */
function createTokenInspectCommand({ clock, print, readInput, setExitCode }: CliContext): Command {
  return new Command("inspect")
    .summary("show the claims of a token and check it")
    .description("Show the claims of a token and check its validity; with --public-key, also its signature.")
    .argument("[token]", "The token; unset: read from standard input")
    .option("--public-key <path>", "File of public keys to verify the signature with, in PEM or as a JWK set")
    .option("--audience <name>", "Audience that the server expects (aud claim)", DEFAULT_AUDIENCE)
    .addOption(createOutputOption())
    .addHelpText("after", "\nExits with 0 only if the token is valid.")
    .addHelpText("after", INSPECT_EXAMPLES)
    .action(async (argument: string | undefined, { publicKey, audience, output }: InspectFlags) => {
      const keys = publicKey === undefined ? undefined : readPublicKeys(publicKey);
      const token = (argument ?? (await readInput())).trim();
      const now = clock.now();
      // Loaded here because it takes most of the start-up time.
      const { inspectToken } = await import("../../rpc/auth/jwt/inspect.ts");
      const inspection = await inspectToken(token, keys, { now, audience });
      print(output === "table" ? formatToken(now, inspection) : formatJson(inspection, output));
      setExitCode(inspection.problem === undefined ? 0 : 1);
    });
}

const KEYGEN_EXAMPLES = `
Examples:
  $ evenkeel token keygen tokens.key
  $ evenkeel server --auth-public-keys tokens.key.pub,old.key.pub
`;

/** `evenkeel token keygen FILE` */
function createTokenKeygenCommand({ print }: CliContext): Command {
  return new Command("keygen")
    .summary("create a key pair")
    .description("Create an Ed25519 key pair: the private key signs tokens, the public key verifies them.")
    .argument("<file>", "File for the private key; the public key is written to <file>.pub")
    .addHelpText(
      "after",
      "\nExisting files are never overwritten. Only the current user can read the private key.",
    )
    .addHelpText("after", KEYGEN_EXAMPLES)
    .action((file: string) => {
      const { publicKey, privateKey } = generateKeyPairSync("ed25519", {
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
      });
      const publicFile = `${file}.pub`;
      writeNewFile(file, privateKey, 0o600);
      try {
        writeNewFile(publicFile, publicKey, 0o644);
      } catch (error) {
        rmSync(file);
        throw error;
      }
      print(
        formatProperties([
          ["Private key", file],
          ["Public key", publicFile],
          ["Key id", keyIdOf(createPublicKey(publicKey))],
        ]),
      );
    });
}

/**
 * Writes a new file.
 *
 * @throws TerminalError if the file exists or cannot be written.
 */
function writeNewFile(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode });
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw new TerminalError(
      exists
        ? `${path}: exists and is not overwritten; choose another file, or move it`
        : `${path}: cannot be written: ${toMessage(cause)}`,
      { cause },
    );
  }
}
