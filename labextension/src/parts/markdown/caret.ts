// The caret behind the last letter of an answer that is being written.

import { make } from "../../ui/element";

/** What the last letter may be in. */
const INNER =
  "p, li, ul, ol, blockquote, h1, h2, h3, h4, h5, h6, pre, code, table, thead, tbody, tr, th, td, div";
/** What shows something else than its text. */
const OUTER = ".kkj-math";

/** Put the caret at the end of `block`. */
export function addCaret(block: HTMLElement | undefined): void {
  if (!block?.matches(INNER) || block.matches(OUTER)) return;
  let end: Element = block;
  for (;;) {
    // Behind the last of the blocks in it, not between them.
    const last: Element | null = end.lastElementChild;
    if (!last?.matches(INNER) || last.matches(OUTER) || last.nextSibling?.textContent?.trim())
      break;
    // The cells of a row that is not whole are empty.
    end = (last.matches("tr") && lastFilled(last)) || last;
  }
  end.append(make("span", "kkj-caret"));
}

function lastFilled(row: Element): Element | undefined {
  return [...row.children].findLast((cell) => cell.textContent);
}
