import { Command } from "commander";
import { DEFAULT_AUDIENCE } from "../../config/fields/auth.ts";
import { readPublicKeys } from "../../rpc/auth/jwt/read-public-keys.ts";
import type { CliContext } from "../context.ts";
import { formatJson } from "../output/format-json.ts";
import type { OutputFormat } from "../output/message.ts";
import { formatToken } from "../output/token.ts";
import { createOutputOption } from "../output-option.ts";

interface InspectFlags {
  readonly publicKey?: string;
  readonly audience: string;
  readonly output: OutputFormat;
}

const examples = `
Examples:
  $ evenkeel token inspect --public-key tokens.key.pub < prod-1.token
  $ evenkeel token inspect eyJhbGciOiJFZERTQSJ9.eyJhY2NvdW50Ijoic2hvcCJ9.c2ln --output json
`;

/** `evenkeel token inspect [TOKEN]` */
export function createTokenInspectCommand({ clock, print, readInput, setExitCode }: CliContext): Command {
  return new Command("inspect")
    .summary("show what a token says, and whether it is good")
    .description(
      "Show what a token says and whether it is valid now; with a public key, also whether it is genuine.",
    )
    .argument("[token]", "the token; read from standard input unless given")
    .option("--public-key <path>", "verify the signature with the keys in this file, in PEM or as a JWK set")
    .option("--audience <name>", "whom a server expects it to be for", DEFAULT_AUDIENCE)
    .addOption(createOutputOption("How to print"))
    .addHelpText("after", "\nExits with 0 only when nothing was found wrong.")
    .addHelpText("after", examples)
    .action(async (argument: string | undefined, { publicKey, audience, output }: InspectFlags) => {
      const keys = publicKey === undefined ? undefined : readPublicKeys(publicKey);
      const token = (argument ?? (await readInput())).trim();
      const now = clock.now();
      // Loaded when it is needed, because it takes longer than all else together.
      const { inspectToken } = await import("../../rpc/auth/jwt/inspect.ts");
      const inspection = await inspectToken(token, keys, { now, audience });
      print(output === "table" ? formatToken(now, inspection) : formatJson(inspection, output));
      setExitCode(inspection.problem === undefined ? 0 : 1);
    });
}
