import type { KubeRequest, KubeResponse, KubeTransport } from "../../../src/kube/kube.ts";

/** Response with a status and a text body in chunks of `chunkBytes`. */
export interface Answer {
  readonly status?: number;
  readonly text: string;
  readonly chunkBytes?: number;
  readonly retryAfterMs?: number;
}

/** A transport that answers requests in order, and records them. */
export function scriptedTransport(
  answers: readonly Answer[],
): KubeTransport & { readonly requests: KubeRequest[] } {
  const requests: KubeRequest[] = [];
  return {
    requests,
    async get(_signal, request) {
      const answer = answers[requests.length];
      requests.push(request);
      if (answer === undefined) {
        throw new Error(`no response for ${request.path}`);
      }
      return toResponse(answer);
    },
  };
}

function toResponse({ status = 200, text, chunkBytes = 1_000_000, retryAfterMs }: Answer): KubeResponse {
  const bytes = Buffer.from(text);
  return {
    status,
    retryAfterMs,
    body: (async function* () {
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        yield bytes.subarray(at, at + chunkBytes);
      }
    })(),
  };
}
