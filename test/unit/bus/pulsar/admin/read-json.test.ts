import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { readJson, undefinedIfAbsent } from "../../../../../src/bus/pulsar/admin/http-transport.ts";
import { NotFoundError, RetryableError } from "../../../../../src/lib/errors.ts";

const { signal } = new AbortController();
const schema = z.object({ partitions: z.number() });

/** Reads a response with this body. */
function read(body: string) {
  return readJson(signal, { adminUrl: "http://broker:8080", send: async () => body }, schema, {
    path: "persistent/a/b/c",
  });
}

describe("reading responses of Pulsar", () => {
  it("readJson returns a response that matches the schema", async () => {
    expect(await read('{"partitions":3,"more":1}')).toEqual({ partitions: 3 });
  });

  it.each([
    ["JSON of another type", '{"partitions":"3"}', "at partitions"],
    ["the page of a web server", "<html>", 'expected JSON, found "<html>"'],
    ["an empty response", "", "Invalid input"],
  ])("%s is an error that names the request", async (_, body, problem) => {
    await expect(read(body)).rejects.toThrow(RetryableError);
    await expect(read(body)).rejects.toThrow("GET persistent/a/b/c of Pulsar at http://broker:8080: ");
    await expect(read(body)).rejects.toThrow(problem);
  });

  it("an absent item is undefined, and a failure is an error", async () => {
    const fail = (error: Error) => undefinedIfAbsent(() => Promise.reject(error));
    expect(await fail(new NotFoundError("404"))).toBeUndefined();
    await expect(fail(new RetryableError("503"))).rejects.toThrow("503");
  });
});
