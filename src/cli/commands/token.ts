import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { createTokenCreateCommand } from "./token-create.ts";
import { createTokenInspectCommand } from "./token-inspect.ts";
import { createTokenKeygenCommand } from "./token-keygen.ts";

const examples = `
Examples:
  $ evenkeel token keygen tokens.key
  $ evenkeel server --auth-public-keys tokens.key.pub
  $ evenkeel token create --key tokens.key --account shop --cluster prod-1 > prod-1.token
  $ evenkeel agent --cluster prod-1 --token-file prod-1.token
`;

/** `evenkeel token ...` */
export function createTokenCommand(context: CliContext): Command {
  return new Command("token")
    .summary("make keys and tokens, and look into tokens")
    .description("Make keys and tokens with which agents and people prove to a server who they are.")
    .addCommand(createTokenKeygenCommand(context))
    .addCommand(createTokenCreateCommand(context))
    .addCommand(createTokenInspectCommand(context))
    .addHelpText("after", examples);
}
