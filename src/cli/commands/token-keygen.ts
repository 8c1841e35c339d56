import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { rmSync } from "node:fs";
import { Command } from "commander";
import { keyIdOf } from "../../rpc/auth/jwt/key-id.ts";
import type { CliContext } from "../context.ts";
import { formatProperties } from "../output/table.ts";
import { writeNewFile } from "./write-new-file.ts";

const examples = `
Examples:
  $ evenkeel token keygen tokens.key
  $ evenkeel server --auth-public-keys tokens.key.pub,old.key.pub
`;

/** `evenkeel token keygen FILE` */
export function createTokenKeygenCommand({ print }: CliContext): Command {
  return new Command("keygen")
    .summary("make a pair of keys")
    .description(
      "Make a pair of keys (Ed25519): the private one, which tokens are made with, and the public one, which servers verify them with.",
    )
    .argument("<file>", "file for the private key; the public one goes beside it, as <file>.pub")
    .addHelpText(
      "after",
      "\nNo file is ever overwritten. The private key is readable by you alone: keep it so.",
    )
    .addHelpText("after", examples)
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
