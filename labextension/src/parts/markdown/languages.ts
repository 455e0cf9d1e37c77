// The languages whose code is coloured. SQL and CSS are small ones of our own: the library's know
// every dialect and every property by name, and are as large as all the others together.

import { c, cpp, csharp, java } from "@codemirror/legacy-modes/mode/clike";
import { diff } from "@codemirror/legacy-modes/mode/diff";
import { go } from "@codemirror/legacy-modes/mode/go";
import { javascript, json, typescript } from "@codemirror/legacy-modes/mode/javascript";
import { python } from "@codemirror/legacy-modes/mode/python";
import { r } from "@codemirror/legacy-modes/mode/r";
import { rust } from "@codemirror/legacy-modes/mode/rust";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { simpleMode } from "@codemirror/legacy-modes/mode/simple-mode";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { html, xml } from "@codemirror/legacy-modes/mode/xml";
import { yaml } from "@codemirror/legacy-modes/mode/yaml";
import type { StreamParser } from "@codemirror/streamparser";

export type Language = StreamParser<unknown>;

const SQL_WORDS =
  "add all alter and any as asc begin between by case check column commit constraint create cross " +
  "database default delete desc distinct drop else end except exists explain foreign from full " +
  "grant group having if in index inner insert intersect into is join key left like limit natural " +
  "not null offset on or order outer over partition primary recursive references returning right " +
  "rollback select set table then transaction trigger truncate union unique update using values " +
  "view when where window with";
const SQL_TYPES =
  "bigint bit blob bool boolean char date datetime decimal double enum float int integer interval " +
  "json jsonb numeric precision real serial smallint text time timestamp uuid varchar";

const sql = simpleMode({
  start: [
    { regex: /--.*/, token: "comment" },
    { regex: /\/\*/, token: "comment", next: "comment" },
    { regex: /'(?:[^']|'')*'?/, token: "string" },
    { regex: /\d+(?:\.\d+)?(?:e[+-]?\d+)?/i, token: "number" },
    { regex: wordsOf(SQL_WORDS), token: "keyword" },
    { regex: wordsOf(SQL_TYPES), token: "typeName" },
    { regex: /[\w"`.]+/, token: null },
    { regex: /[-+*/%=<>!|&]+/, token: "operator" },
  ],
  comment: [
    { regex: /.*?\*\//, token: "comment", next: "start" },
    { regex: /.*/, token: "comment" },
  ],
});

const css = simpleMode({
  start: [
    { regex: /\/\*/, token: "comment", next: "comment" },
    { regex: /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?/, token: "string" },
    { regex: /@[\w-]+|!important\b/, token: "keyword" },
    { regex: /(--)?[\w-]+(?=\s*:\s)/, token: "propertyName" },
    { regex: /#[\da-f]{3,8}\b|-?(?:\d*\.)?\d+(?:%|[a-z]+)?/i, token: "number" },
    { regex: /[.#][\w-]+|:{1,2}[\w-]+/, token: "variableName.definition" },
    { regex: /[\w-]+/, token: null },
  ],
  comment: [
    { regex: /.*?\*\//, token: "comment", next: "start" },
    { regex: /.*/, token: "comment" },
  ],
});

function wordsOf(words: string): RegExp {
  return new RegExp(`(?:${words.replaceAll(" ", "|")})\\b`, "i");
}

const NAMES: [Language, string][] = [
  [python, "python py python3 py3 ipython ipython3 pycon gyp"],
  [javascript, "javascript js jsx mjs cjs node"],
  [typescript, "typescript ts tsx mts"],
  [json, "json jsonc json5 jsonl ipynb"],
  [shell, "bash sh shell zsh console shell-session"],
  [c, "c h"],
  [cpp, "cpp c++ cc cxx hpp arduino cuda"],
  [csharp, "csharp cs c#"],
  [java, "java"],
  [html, "html htm vue svelte"],
  [xml, "xml svg xsl"],
  [css, "css scss less"],
  [sql, "sql postgresql postgres mysql sqlite"],
  [yaml, "yaml yml"],
  [toml, "toml ini"],
  [rust, "rust rs"],
  [go, "go golang"],
  [r, "r"],
  [diff, "diff patch"],
];
const LANGUAGES = new Map(
  NAMES.flatMap(([language, names]) => names.split(" ").map((name) => [name, language] as const)),
);

export function languageNamed(name: string): Language | undefined {
  return LANGUAGES.get(name.toLowerCase());
}
