import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_AUDIENCE } from "../../config/fields/auth.ts";
import { clusterName } from "../../config/programs/agent-config.ts";
import { duration } from "../../config/quantity.ts";
import { isAccountName } from "../../domain/names.ts";
import { ConfigError, toMessage } from "../../lib/errors.ts";
import { type PrivateKey, parsePrivateKey } from "../../rpc/auth/jwt/private-key.ts";
import type { CliContext } from "../context.ts";
import { parseAs } from "../parse-as.ts";

interface CreateFlags {
  readonly key: string;
  readonly account: string;
  readonly cluster?: string;
  readonly subject?: string;
  readonly audience: string;
  readonly expiresIn: number;
}

const DAY_MS = 86_400_000;

const examples = `
Examples:
  $ evenkeel token create --key tokens.key --account shop --cluster prod-1 > prod-1.token
  $ evenkeel token create --key tokens.key --account shop --expires-in 8h --subject ann@shop.example
`;

/** `evenkeel token create` */
export function createTokenCreateCommand({ clock, print }: CliContext): Command {
  return new Command("create")
    .summary("make a token")
    .description("Print a token (a JWT) for an account, and for one of its clusters or all.")
    .requiredOption("--key <path>", 'the private key, from "evenkeel token keygen"')
    .requiredOption("--account <name>", "account that the bearer belongs to", parseAccount)
    .option(
      "--cluster <name>",
      "the one cluster that the bearer may speak for and see; any unless given",
      parseAs(clusterName),
    )
    .addOption(
      new Option("--expires-in <duration>", "how long it is good for")
        .argParser(parseAs(duration))
        .default(90 * DAY_MS, "90d"),
    )
    .option("--subject <text>", "who the bearer is, for the server's log")
    .option("--audience <name>", "whom the token is for, as the server has it", DEFAULT_AUDIENCE)
    .addHelpText("after", examples)
    .action(async ({ key, expiresIn, ...claims }: CreateFlags) => {
      const privateKey = readPrivateKey(key);
      // Loaded when it is needed, because it takes longer than all else together.
      const { signToken } = await import("../../rpc/auth/jwt/sign.ts");
      const issuedAt = clock.now();
      const expiresAt = new Date(issuedAt.getTime() + expiresIn);
      print(`${await signToken(privateKey, { ...claims, issuedAt, expiresAt })}\n`);
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
    return parsePrivateKey(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`the private key ${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
}
