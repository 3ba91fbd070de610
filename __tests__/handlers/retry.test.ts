import { isTransient, putWithRetries } from "../../handlers/ingest-survey/retry";

const failure = (status: number | undefined, name = "Error"): Error =>
  Object.assign(new Error("refused"), { name, ...(status !== undefined && { $metadata: { httpStatusCode: status } }) });

test.each<[Error, boolean]>([
  [failure(429), true],
  [failure(500), true],
  [failure(503), true],
  [failure(undefined, "TimeoutError"), true],
  [failure(400, "ThrottlingException"), true],
  [failure(400, "ServiceUnavailable"), true],
  [failure(200, "InternalFailure"), true],
  [failure(200, "ThrottlingException"), true],
  [failure(200, "ValidationError"), false],
  [failure(400, "ValidationError"), false],
  [failure(403, "AccessForbidden"), false],
  [failure(404, "ResourceNotFound"), false],
])("%p is transient: %p", (error, transient) => {
  expect(isTransient(error)).toBe(transient);
});

test("waits grow, are never the same for all, and end after some twenty seconds with the last error", async () => {
  const waits: number[] = [];
  let tried = 0;
  const tries = (): Promise<never> => Promise.reject(failure(429, `Throttled${(tried += 1)}`));
  await expect(
    putWithRetries(tries, (milliseconds) => {
      waits.push(milliseconds);
      return Promise.resolve();
    }),
  ).rejects.toMatchObject({ name: "Throttled9" });
  const ceilings = [200, 400, 800, 1600, 3200, 5000, 5000, 5000];
  expect(waits).toHaveLength(ceilings.length);
  for (const [index, ceiling] of ceilings.entries()) {
    expect(waits[index]).toBeGreaterThanOrEqual(ceiling / 2);
    expect(waits[index]).toBeLessThanOrEqual(ceiling);
  }
});

test("a permanent error is not retried", async () => {
  const tries = jest.fn(() => Promise.reject(failure(400, "ValidationError")));
  await expect(putWithRetries(tries)).rejects.toThrow("refused");
  expect(tries).toHaveBeenCalledTimes(1);
});

test("the result of the successful attempt is returned", async () => {
  let tried = 0;
  const result = await putWithRetries(
    () => ((tried += 1) < 3 ? Promise.reject(failure(503)) : Promise.resolve("stored")),
    () => Promise.resolve(),
  );
  expect([result, tried]).toEqual(["stored", 3]);
});
