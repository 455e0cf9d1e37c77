// Task lists: `- [ ] to do` and `- [x] done`. The box is a character and not a control: nobody could
// tick it, it is copied and printed with the text, and no form of a stranger's is in the page.
// kkjupyter/notebook/views/markdown/task_lists.py has the same rule; test/cases/markdown.json holds both to it.

import type { MarkdownIt, Token } from "markdown-it";

const TASK = /^\[([ xX])\][ \t]+(?=\S)/;
/** One that is being written. */
const HALF_TASK = /^\[(?:[ xX](?:\][ \t]*)?)?$/;

/** @param md its items that are tasks get the class `kkj-task` and begin with a box */
export function addTaskLists(md: MarkdownIt): void {
  md.core.ruler.before("inline", "task_lists", ({ tokens }) => {
    for (const [index, token] of tokens.entries()) {
      const item = itemBefore(tokens, index);
      const task = item && TASK.exec(token.content);
      if (!task) continue;
      item.attrJoin("class", "kkj-task");
      token.content = `${task[1] === " " ? "☐" : "☑"} ${token.content.slice(task[0].length)}`;
    }
  });
}

/** Whether the text in `tokens[index]` may be the beginning of a task. */
export function isHalfTask(tokens: readonly Token[], index: number): boolean {
  return HALF_TASK.test(tokens[index]?.content ?? "") && Boolean(itemBefore(tokens, index));
}

/** The item of a list that begins with the text in `tokens[index]`. */
function itemBefore(tokens: readonly Token[], index: number): Token | undefined {
  if (tokens[index]?.type !== "inline" || tokens[index - 1]?.type !== "paragraph_open") return;
  const item = tokens[index - 2];
  return item?.type === "list_item_open" ? item : undefined;
}
