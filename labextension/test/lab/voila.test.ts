// Which page is one of Voila's, by the configuration that its server puts into it.

import { afterEach, expect, test } from "vitest";
import { isVoila } from "../../src/lab/voila";

afterEach(() => document.body.replaceChildren());

function configured(text: string): boolean {
  const script = document.createElement("script");
  script.type = "application/json";
  script.id = "jupyter-config-data";
  script.textContent = text;
  document.body.append(script);
  return isVoila(document);
}

test.each([
  ['{"appUrl": "voila/", "kernelId": "1"}', true],
  ['{"appUrl": "/lab", "appName": "JupyterLab"}', false],
  ["not JSON", false],
])("%s", (text, expected) => {
  expect(configured(text)).toBe(expected);
});

test("a page without a configuration is not", () => {
  expect(isVoila(document)).toBe(false);
});
