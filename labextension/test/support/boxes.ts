// Elements with sizes, which a page without a layout does not have.

export interface Sizes {
  scrollHeight: number;
  clientHeight: number;
  scrollTop: number;
}

/** Give `box` these sizes, and let it scroll no further than a browser would. */
export function giveSizes(box: HTMLElement, sizes: Sizes): void {
  const bottom = () => Math.max(0, sizes.scrollHeight - sizes.clientHeight);
  Object.defineProperties(box, {
    scrollHeight: { get: () => sizes.scrollHeight, configurable: true },
    clientHeight: { get: () => sizes.clientHeight, configurable: true },
    scrollTop: {
      get: () => Math.min(sizes.scrollTop, bottom()),
      set: (top: number) => {
        sizes.scrollTop = Math.max(0, Math.min(top, bottom()));
      },
      configurable: true,
    },
  });
}
