import * as http from "node:http";
import * as https from "node:https";

/**
 * Sends a request by HTTP or HTTPS, as the URL names it, and returns the response as soon as its headers are here.
 * The caller has to read or destroy the response. Rejects with the error of the connection; when `signal` aborts, the
 * request ends, and later the reading of the response.
 */
export async function sendHttpRequest(
  signal: AbortSignal,
  url: URL,
  options: https.RequestOptions,
  body?: string,
): Promise<http.IncomingMessage> {
  const { request } = url.protocol === "https:" ? https : http;
  const responded = Promise.withResolvers<http.IncomingMessage>();
  request(url, { ...options, signal }, responded.resolve)
    .on("error", responded.reject)
    .end(body);
  return await responded.promise;
}
