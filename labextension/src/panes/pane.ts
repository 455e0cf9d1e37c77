// What draws the source of a view, as an interface; a part is a module that makes one.

import type { RunState } from "../kernel/messages";

export interface Pane {
  readonly element: HTMLElement;
  /** It looks after its height and its scrolling itself, or needs neither. */
  readonly hasOwnHeight?: boolean;
  /** More source; drawn with the next frame. */
  append(source: string): void;
  /** Everything so far is void; this is the source. */
  replace(source: string): void;
  /** Draw what is pending now. */
  flush(): void;
  /** Nothing more comes: the run has ended, in this state. Called once. */
  ended?(state?: RunState): void;
  /** What the Copy button gives for this source, if not the source itself. */
  copied?(source: string): string;
  dispose(): void;
}

/** A value in the forms in which it can be shown, by MIME type, and what is known of each form. */
export interface MimeForms {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

/**
 * Draws a value into `host`, which is in the page, as the notebook shows one at the end of a cell.
 * Resolves with how to undo that; with null if the notebook has no renderer for it.
 */
export type RenderMime = (forms: MimeForms, host: HTMLElement) => Promise<(() => void) | null>;

export interface PaneContext {
  /** What a screen reader calls it. */
  label: string;
  /** Have the notebook typeset the formulas below this element, where it can. */
  typeset?: ((element: HTMLElement) => void | Promise<void>) | undefined;
  /** Put code into a new cell below that of this view, where there is a notebook to put it into. */
  insertCell?: ((source: string) => void) | undefined;
  /** Have the notebook show a value, where it can. */
  renderMime?: RenderMime | undefined;
}

/** What a part exports. */
export interface PartModule {
  makePane(context: PaneContext): Pane;
}
