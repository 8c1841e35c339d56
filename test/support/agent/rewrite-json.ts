import type { KubeResponse } from "../../../src/kube/kube.ts";

/** Replaces each line of a response, which is a JSON value. */
export function rewriteJson(response: KubeResponse, change: (value: unknown) => unknown): KubeResponse {
  return { ...response, body: rewriteLines(response.body, change) };
}

async function* rewriteLines(
  body: AsyncIterable<Uint8Array>,
  change: (value: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const lines = Buffer.from(chunk).toString().split("\n");
    const changed = lines.map((line) => (line === "" ? "" : JSON.stringify(change(JSON.parse(line)))));
    yield Buffer.from(changed.join("\n"));
  }
}
