// A notice when a background stream has ended while its cell was out of sight.

import { findCell, isInSight } from "./cells";
import type { NotebookCell, NotebookPanel, Notifications } from "./jupyterlab";
import type { PlacedEnd } from "./page-streams";
import { noticeOf } from "./stream-words";

/** What ends within this time is told in one notice. */
const JOIN_MS = 1_000;
const SHOWN_MS = 8_000;

export interface NoticeOptions {
  notifications: Notifications;
  /** Whether the user wants to be told. */
  isWanted: () => boolean;
  /** Go to a cell; to the notebook, where the cell is gone. */
  show: (panel: NotebookPanel, cell: NotebookCell | undefined) => void;
}

export class EndNotices {
  private waiting: PlacedEnd[] = [];
  private isDue = false;
  /** The newest notice: what ends while it is shown joins it. */
  private shown: { id: string; ends: PlacedEnd[]; untilMs: number } | null = null;

  constructor(private readonly options: NoticeOptions) {}

  /** These have ended; the user of this page did not cancel them. */
  add(ends: readonly PlacedEnd[]): void {
    this.waiting.push(...ends.filter((end) => end.stream.outlived_cell && isUnseen(end)));
    if (!this.waiting.length || this.isDue) return;
    this.isDue = true;
    setTimeout(() => this.whenSeen(), JOIN_MS);
  }

  /** A notice closes by itself: while the page is hidden, nobody would see it. */
  private whenSeen(): void {
    if (!document.hidden) {
      this.tell();
      return;
    }
    document.addEventListener("visibilitychange", () => this.whenSeen(), { once: true });
  }

  private tell(): void {
    const ends = this.waiting.filter(isUnseen);
    this.waiting = [];
    this.isDue = false;
    if (!ends.length || !this.options.isWanted()) return;
    const { notifications } = this.options;
    const nowMs = Date.now();
    // What the reader has seen since, or put away with its notebook, is old news.
    const earlier =
      this.shown && nowMs < this.shown.untilMs ? this.shown.ends.filter(isUnseen) : [];
    const last = earlier.length ? this.shown : null;
    const all = [...earlier, ...ends];
    const { kind, text } = noticeOf(all.map(({ stream }) => stream));
    const options = { autoClose: SHOWN_MS, actions: [this.showAction(all)] };
    const isUpdated =
      last && notifications.update({ id: last.id, message: text, type: kind, ...options });
    const id = isUpdated ? last.id : notifications.emit(text, kind, options);
    this.shown = { id, ends: all, untilMs: nowMs + SHOWN_MS };
  }

  /** To the one that failed, else to the last. */
  private showAction(ends: PlacedEnd[]) {
    const end = ends.find(({ stream }) => stream.state === "failed") ?? ends.at(-1);
    if (!end) throw new Error("kkjupyter: a notice of nothing");
    const { panel, stream } = end;
    return {
      label: "Show",
      caption: `Show ${stream.title}`,
      callback: () => {
        this.shown = null;
        if (!panel.isDisposed) this.options.show(panel, findCell(panel, stream.cell_id));
      },
    };
  }
}

function isUnseen({ panel, stream }: PlacedEnd): boolean {
  const cell = findCell(panel, stream.cell_id);
  return !panel.isDisposed && !(cell && isInSight(panel, cell));
}
