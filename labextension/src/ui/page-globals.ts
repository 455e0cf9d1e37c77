/** What this page has under `name`, for every copy of this module in it; made when first asked for. */
export function pageGlobal<Kept>(name: string, Kind: new () => Kept): Kept {
  const page = globalThis as unknown as Record<string, Kept | undefined>;
  page[name] ??= new Kind();
  return page[name];
}
