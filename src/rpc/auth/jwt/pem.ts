import { ConfigError } from "../../../lib/errors.ts";

/** One block of a PEM text. */
export interface PemBlock {
  /** What it is, such as "PUBLIC KEY". */
  readonly label: string;
  /** The block with its first and last line. */
  readonly text: string;
}

/** The blocks of a PEM text (RFC 7468), of which there is one at least. Throws `ConfigError` when there is none. */
export function readPemBlocks(text: string): readonly PemBlock[] {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g)];
  if (blocks.length === 0) {
    throw new ConfigError("expected a key in PEM (-----BEGIN ... KEY-----), found something else");
  }
  return blocks.map(([block, label = ""]) => ({ label, text: block }));
}
