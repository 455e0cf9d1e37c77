// What became of each stream of StreamsController.slow, for tests that ask afterwards.
export type Page = { produced: number; abortedAt: number | null; endedAt: number | null };

const shared = globalThis as typeof globalThis & { diary?: Map<string, Page> };
const diary = (shared.diary ??= new Map());

export function newPage(id: string): Page {
  const page: Page = { produced: 0, abortedAt: null, endedAt: null };
  diary.set(id, page);
  return page;
}

export const readPage = (id: string) => ({ now: Date.now(), page: diary.get(id) ?? null });
