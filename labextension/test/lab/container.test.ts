import { beforeEach, expect, test } from "vitest";
import { offerParts } from "../../src/lab/part-urls";
import type { ShareScope } from "../../src/lab/shared-modules";
import { partUrlsOfPage } from "../../src/panes/part-loader";
import { FakeWidget } from "../support/lab";

beforeEach(() => {
  globalThis.KKJUPYTER_PARTS = { loud: "loud-1234" };
});

test("the parts are offered below the container's address", () => {
  offerParts("http://host/lab/extensions/kkjupyter/kkjupyter.js");
  expect(partUrlsOfPage().get("loud-1234")).toBe(
    "http://host/lab/extensions/kkjupyter/parts/loud.js?v=loud-1234",
  );
});

test("the container gives the page its two modules", async () => {
  await import("../../src/lab/container");
  const page = globalThis as unknown as { _JUPYTERLAB: Record<string, Container> };
  const container = page._JUPYTERLAB.kkjupyter as Container;
  container.init({
    "@lumino/widgets": { "2.0.0": { get: async () => () => ({ Widget: FakeWidget }) } },
  });
  const factory = await container.get("./mimeExtension");
  expect(factory()).toMatchObject({ __esModule: true, default: { id: "kkjupyter:mime" } });
  await expect(container.get("./other")).rejects.toThrow("no module ./other");
});

interface Container {
  init(scope: ShareScope): void;
  get(name: string): Promise<() => object>;
}
