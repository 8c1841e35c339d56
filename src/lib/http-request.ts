import * as http from "node:http";
import * as https from "node:https";

/**
 * Sends a request over HTTP or HTTPS, depending on the URL, and returns the response as soon as its headers
 * have arrived. The caller must read or destroy the response. Rejects with the error of the connection. An
 * abort of `signal` ends the request, and later the reading of the response.
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
