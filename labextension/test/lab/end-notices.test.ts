import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EndNotices } from "../../src/lab/end-notices";
import type { NotificationOptions } from "../../src/lab/jupyterlab";
import { ended, Notebook, placed } from "../support/lab";

interface Shown extends NotificationOptions {
  id: string;
  text: string;
  kind: string;
}

let notebook: Notebook;
let shown: Shown[];
let wishes: { isWanted: boolean };
let notices: EndNotices;
const show = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(document, "hidden", "get").mockReturnValue(false);
  show.mockReset();
  notebook = new Notebook();
  placed(notebook.output, 3_000, 50); // scrolled away
  shown = [];
  wishes = { isWanted: true };
  const notifications = {
    emit: (text: string, kind: string, options: NotificationOptions) => {
      shown.push({ id: `${shown.length}`, text, kind, ...options });
      return `${shown.length - 1}`;
    },
    update: ({ id, message, type, ...options }: { id: string; message: string; type: string }) => {
      const notice = shown.find((one) => one.id === id);
      if (notice) Object.assign(notice, { text: message, kind: type, ...options });
      return notice !== undefined;
    },
  };
  notices = new EndNotices({ notifications, isWanted: () => wishes.isWanted, show } as never);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function end(changes = {}) {
  notices.add([{ panel: notebook.panel, stream: ended(changes) }]);
}

const texts = () => shown.map(({ text }) => text);

test("a background stream that ends out of sight is told, with the way to its cell", () => {
  end();
  vi.advanceTimersByTime(1_000);
  expect(texts()).toEqual(["chat('tides') finished: 205 items, 10.8 s"]);
  expect(shown[0]?.kind).toBe("success");
  const [action] = shown[0]?.actions ?? [];
  expect(action?.label).toBe("Show");
  action?.callback();
  expect(show).toHaveBeenCalledWith(notebook.panel, notebook.panel.content.widgets[0]);
});

test.each([
  ["the user does not want to be told", () => Object.assign(wishes, { isWanted: false })],
  ["its output is on the screen", () => placed(notebook.output, 300, 50)],
  ["its notebook is closed", () => Object.assign(notebook.panel, { isDisposed: true })],
])("nothing is told when %s", (_, happen) => {
  end();
  happen();
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual([]);
});

test("what was seen when it ended is not told, wherever the user looks then", () => {
  placed(notebook.output, 300, 50);
  end();
  placed(notebook.output, 3_000, 50);
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual([]);
});

test("nothing is told when its cell waited for it", () => {
  end({ outlived_cell: false });
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual([]);
});

test("a stream whose cell is gone is told, too; the way leads to its notebook", () => {
  end({ cell_id: "gone" });
  vi.advanceTimersByTime(1_000);
  shown[0]?.actions?.[0]?.callback();
  expect(show).toHaveBeenCalledWith(notebook.panel, undefined);
});

test("many that end at once are one notice, and the next ones join it while it is shown", () => {
  for (let i = 0; i < 30; i += 1) end();
  vi.advanceTimersByTime(1_000);
  expect(texts()).toEqual(["30 streams ended: 30 finished"]);
  vi.advanceTimersByTime(3_000);
  end({ title: "bad()", state: "failed", error: "ValueError: x", cell_id: "gone" });
  end();
  vi.advanceTimersByTime(1_000);
  expect(texts()).toEqual(["32 streams ended: 31 finished, 1 failed"]);
  expect(shown[0]?.kind).toBe("error");
  expect(shown[0]?.actions?.[0]?.caption).toBe("Show bad()");
  vi.advanceTimersByTime(60_000);
  end();
  vi.advanceTimersByTime(1_000);
  expect(texts()[1]).toBe("chat('tides') finished: 205 items, 10.8 s");
});

test("on a hidden page it is told when the page is seen again", () => {
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  end();
  vi.advanceTimersByTime(3_600_000);
  end();
  document.dispatchEvent(new Event("visibilitychange")); // still hidden
  expect(shown).toEqual([]);
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(texts()).toEqual(["2 streams ended: 2 finished"]);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(shown).toHaveLength(1);
});

test("what was shown is not told again with the next one", () => {
  end();
  vi.advanceTimersByTime(1_000);
  shown[0]?.actions?.[0]?.callback();
  end();
  vi.advanceTimersByTime(1_000);
  expect(texts()).toEqual(Array(2).fill("chat('tides') finished: 205 items, 10.8 s"));
});
