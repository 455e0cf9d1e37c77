// Markdown to safe HTML: raw HTML is text, links go where links may go, no image is fetched.
// kkjupyter/notebook/views/markdown/view.py does the same for the saved output.

import createParser, { type MarkdownIt, type Token } from "markdown-it";
import { addCjkEmphasis } from "./emphasis";
import { addFootnotes } from "./footnotes";
import { addMaths, isHarmless } from "./maths";
import type { ParserEnv } from "./parser-env";
import { addTaskLists, isHalfTask } from "./task-lists";
import { closeOpenMarks } from "./unfinished";

const LINK = /^(?:https?:\/\/|mailto:)/i;
/** Of raster types only: an SVG may bring scripts and addresses of its own. */
const IMAGE = /^data:image\/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+$/i;

export function makeParser(): MarkdownIt {
  const md = createParser({ html: false, maxNesting: 50 });
  md.validateLink = (url) => LINK.test(url) || IMAGE.test(url);
  addMaths(md);
  addCjkEmphasis(md);
  addTaskLists(md);
  addFootnotes(md);
  md.core.ruler.before("inline", "close_open_marks", ({ env, tokens }) => {
    const { closesOpenMarks } = env as ParserEnv;
    const last = closesOpenMarks ? tokens.findLastIndex(({ type }) => type === "inline") : -1;
    const token = tokens[last];
    if (token) token.content = isHalfTask(tokens, last) ? "" : closeOpenMarks(token.content);
  });
  const { escapeHtml } = md.utils;
  Object.assign(md.renderer.rules, {
    math_inline: (tokens: Token[], index: number) => formula("span", tokens[index]),
    math_block: (tokens: Token[], index: number) => formula("div", tokens[index]),
    image: (tokens: Token[], index: number) => image(tokens, index),
    link_open: (tokens: Token[], index: number) => {
      const href = attribute(tokens[index], "href");
      return LINK.test(href) ? linkTo(href) : "<a>";
    },
    fence: (tokens: Token[], index: number) => code(tokens[index]),
    code_block: (tokens: Token[], index: number) => code(tokens[index]),
  });
  // The alignment is all that a cell brings along; a class survives the sanitiser.
  for (const tag of ["th", "td"]) {
    md.renderer.rules[`${tag}_open`] = (tokens: Token[], index: number) => {
      const side = /right|center/.exec(attribute(tokens[index], "style"))?.[0];
      return side ? `<${tag} class="kkj-${side}">` : `<${tag}>`;
    };
  }
  return md;

  function formula(tag: string, token: Token | undefined): string {
    const text = escapeHtml(token?.content ?? "");
    if (isHarmless(token?.content ?? "")) return `<${tag} class="kkj-math">${text}</${tag}>`;
    return tag === "div" ? `<p><code>${text}</code></p>` : `<code>${text}</code>`;
  }

  function linkTo(href: string): string {
    return `<a href="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer">`;
  }

  function image(tokens: Token[], index: number): string {
    const token = tokens[index];
    const src = attribute(token, "src");
    const alt = token?.content ?? "";
    if (IMAGE.test(src)) return `<img src="${escapeHtml(src)}" alt="${escapeHtml(alt)}">`;
    const opened = tokens.slice(0, index).findLast(({ type }) => type.startsWith("link_"));
    const text = escapeHtml(alt || src);
    return opened?.type === "link_open" ? text : `${linkTo(src)}${text}</a>`;
  }

  function code(token: Token | undefined): string {
    const language = /^[\w+#.-]+/.exec(token?.info.trim() ?? "")?.[0] ?? "";
    const name = language && ` class="language-${escapeHtml(language)}"`;
    return `<pre><code${name}>${escapeHtml(token?.content ?? "")}</code></pre>`;
  }
}

function attribute(token: Token | undefined, name: string): string {
  return String(token?.attrGet(name) ?? "");
}
