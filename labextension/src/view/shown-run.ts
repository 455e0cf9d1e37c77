// A run with what is around it on this page.

import type { Run } from "../run/run";
import type { Link } from "./link";
import type { NotebookContext } from "./notebook-context";

export interface ShownRun {
  readonly run: Run;
  /** The way to its kernel; null for what is saved, where there is nobody to ask. */
  readonly link: Link | null;
  readonly notebook: NotebookContext;
}

/** One of several runs side by side. */
export interface Column extends ShownRun {
  readonly name: string;
}
