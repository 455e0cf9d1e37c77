// The way back from a view's own controls to the notebook around it.

/**
 * Give the focus to the notebook, as its command mode has it: then its keys work. Where there is no
 * notebook that takes it, the page has it.
 */
export function focusNotebook(from: HTMLElement): void {
  for (const selector of [".jp-Cell", ".jp-Notebook"]) {
    const place = from.closest<HTMLElement>(selector);
    place?.focus({ preventScroll: true });
    if (place && document.activeElement === place) return;
  }
  const { activeElement } = from.getRootNode() as Document | ShadowRoot;
  if (activeElement instanceof HTMLElement) activeElement.blur();
}
