import { expect, test, vi } from "vitest";
import { validLanguage } from "../../src/parts/plot/valid-language";

test.each([
  ["en-US", "en-US"],
  ["de", "de"],
  ["en-US@posix", "en-US"],
  ["C", "en-US"],
  ["", "en-US"],
])("the language %j is %j to Intl", (language, tag) => {
  expect(validLanguage(language)).toBe(tag);
});

test("the plot is loaded in a page whose language is not a language tag", async () => {
  const own = Object.getOwnPropertyDescriptor(Navigator.prototype, "language");
  Object.defineProperty(Navigator.prototype, "language", {
    get: () => "en-US@posix",
    configurable: true,
  });
  vi.resetModules();
  try {
    expect(await import("../../src/parts/plot")).toHaveProperty("makePane");
    expect(navigator.language).toBe("en-US@posix"); // as it was
  } finally {
    if (own) Object.defineProperty(Navigator.prototype, "language", own);
    else Reflect.deleteProperty(Navigator.prototype, "language");
  }
});
