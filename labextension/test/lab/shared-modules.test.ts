import { expect, test } from "vitest";
import { shared, useScope } from "../../src/lab/shared-modules";

function version(name: string, loaded = false) {
  return { get: async () => () => name, loaded };
}

test("of a shared module the version in use is taken, else the newest", async () => {
  useScope({
    used: { "1.2.0": version("old", true), "1.10.0": version("new") },
    unused: { "1.2.0": version("old"), "1.10.0": version("new"), "1.9.9": version("middle") },
  });
  expect(await shared("used")).toBe("old");
  expect(await shared("unused")).toBe("new");
  await expect(shared("missing")).rejects.toThrow("shares no missing");
});
