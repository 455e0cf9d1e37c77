// The answers before the newest one, folded above it. They are drawn when somebody looks. The Python
// side is kkjupyter/notebook/views/earlier.py.

import type { EarlierAnswers, RunOutput } from "../run/output-json";
import { whole } from "../text/numbers";
import { make } from "../ui/element";
import { suppressShortcuts } from "../ui/shortcuts";
import { addStyle } from "../ui/styles";
import type { Drawing } from "../view/live-view";
import css from "./earlier.css";

/**
 * @param drawing of the newest answer
 * @param draw draws one of the others
 */
export function withEarlier(
  drawing: Drawing,
  { runs, leftOut }: EarlierAnswers,
  draw: (run: RunOutput) => Drawing,
): Drawing {
  const count = runs.length + leftOut;
  if (!count) return drawing;
  addStyle(document, "earlier", css);
  const element = make("div", "kkj-again");
  const fold = make("details", "kkj-earlier");
  const summary = make("summary", "kkj-earlier-words", nameOf(count));
  suppressShortcuts(summary);
  fold.append(summary);
  element.append(fold, drawing.element);
  const drawings: Drawing[] = [];
  fold.addEventListener("toggle", () => {
    if (!fold.open || fold.childElementCount > 1) return;
    const list = make("div", "kkj-earlier-list");
    if (leftOut) list.append(make("div", "kkj-notes", leftOutOf(leftOut)));
    for (const run of runs) {
      const drawn = draw(run);
      drawings.push(drawn);
      list.append(drawn.element);
    }
    fold.append(list);
    for (const drawn of drawings) {
      drawn.attached();
      drawn.settled();
    }
  });
  return {
    element,
    attached: () => drawing.attached(),
    settled: () => drawing.settled(),
    dispose: () => {
      drawing.dispose();
      for (const drawn of drawings) drawn.dispose();
    },
  };
}

function nameOf(count: number): string {
  return count === 1 ? "Earlier answer" : `${whole(count)} earlier answers`;
}

function leftOutOf(count: number): string {
  const answers = count === 1 ? "1 earlier answer" : `${whole(count)} earlier answers`;
  return `${answers} left out: there is no room for more in a notebook file`;
}
