import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { readJson, undefinedIfAbsent } from "../../../../../src/bus/pulsar/admin/read-json.ts";
import { NotFoundError, RetryableError } from "../../../../../src/lib/errors.ts";

const { signal } = new AbortController();
const schema = z.object({ partitions: z.number() });

/** Reads an answer of this body. */
function read(body: string) {
  return readJson(signal, { adminUrl: "http://broker:8080", send: async () => body }, schema, {
    path: "persistent/a/b/c",
  });
}

describe("reading what Pulsar answers", () => {
  it("gives what it is told to expect", async () => {
    expect(await read('{"partitions":3,"more":1}')).toEqual({ partitions: 3 });
  });

  it.each([
    ["something else", '{"partitions":"3"}', "at partitions"],
    ["the page of a web server", "<html>", 'expected JSON, found "<html>"'],
    ["nothing", "", "Invalid input"],
  ])("takes %s for no answer, and names what it asked for", async (_, body, problem) => {
    await expect(read(body)).rejects.toThrow(RetryableError);
    await expect(read(body)).rejects.toThrow("GET persistent/a/b/c of Pulsar at http://broker:8080: ");
    await expect(read(body)).rejects.toThrow(problem);
  });

  it("tells what is absent from what fails", async () => {
    const fail = (error: Error) => undefinedIfAbsent(() => Promise.reject(error));
    expect(await fail(new NotFoundError("404"))).toBeUndefined();
    await expect(fail(new RetryableError("503"))).rejects.toThrow("503");
  });
});
