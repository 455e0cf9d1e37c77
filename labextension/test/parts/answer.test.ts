// @vitest-environment jsdom
// The sanitiser does not get along with happy-dom.

import { beforeEach, expect, test, vi } from "vitest";
import type { Pane } from "../../src/panes/pane";
import { makePane } from "../../src/parts/answer";
import { pretty } from "../../src/parts/answer/pretty";
import { recordsOf } from "../../src/parts/answer/records";
import answer from "../cases/answer.json";

// jsdom and the sanitiser are slow together.
vi.setConfig({ testTimeout: 60_000 });

let pane: Pane;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => {});
  pane = makePane({ label: "chat()" });
  document.body.replaceChildren(pane.element);
});

type Line = [kind: string, choice: number, text: string, extra?: unknown, isWhole?: boolean];

function sourceOf(...lines: Line[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function write(...lines: Line[]): void {
  pane.append(sourceOf(...lines));
  pane.flush();
}

function end(): void {
  pane.ended?.();
  pane.flush();
}

const all = (selector: string) => [...pane.element.querySelectorAll<HTMLElement>(selector)];
const texts = (selector: string) => all(selector).map((element) => element.textContent);
const thought = () => all(".kkj-thought")[0] as HTMLDetailsElement;

function open(details: HTMLDetailsElement): void {
  details.open = true;
  details.dispatchEvent(new Event("toggle"));
  pane.flush();
}

// ---- the source

test.each(answer.read)("reads %j", (source, records) => {
  const read = recordsOf(source as string);
  const values = read.map(({ kind, choice, text, extra, isWhole }) => {
    return [kind, choice, text, extra, isWhole];
  });
  expect(values).toEqual(records);
});

test.each(answer.pretty)("sets out %j", (text, shown) => {
  expect(pretty(text as string)).toBe(shown);
});

test("reads lines in whatever pieces they come", () => {
  const source = sourceOf(["text", 0, "Hel"], ["text", 0, "lo 😀"], ["call", 0, "weather", 0]);
  for (const character of source.split("")) pane.append(character);
  pane.flush();
  end();
  expect(texts(".kkj-answer p")).toEqual(["Hello 😀"]);
  expect(texts(".kkj-call-name")).toEqual(["weather"]);
});

// ---- text, thoughts

test("draws the answer as Markdown, and what comes below a call below it", () => {
  write(["text", 0, "I **lo"], ["text", 0, "ok**."]);
  expect(texts("strong")).toEqual(["look"]);
  write(["call", 0, "weather", 0], ["text", 0, "It rains."]);
  end();
  const order = all(".kkj-choice > .kkj-answer, .kkj-choice > .kkj-call");
  expect(order.map((element) => element.className.split(" ")[0])).toEqual([
    ...["kkj-answer", "kkj-call", "kkj-answer"],
  ]);
});

test("a thought is folded, with a clock while it goes on", () => {
  write(["think", 0, "I **look**\n", 2]);
  expect(thought().open).toBe(false);
  expect(texts("summary")).toEqual(["thinking … 0.0 s"]);
  vi.advanceTimersByTime(400);
  expect(texts("summary")).toEqual(["thinking … 2.4 s"]);
  open(thought());
  expect(texts(".kkj-thought strong")).toEqual(["look"]);
  write(["think", 0, "first.", 3]);
  write(["thought", 0, "", 3.1], ["text", 0, "Hello"]);
  expect(texts("summary")).toEqual(["thought for 3.1 s"]);
  expect(texts(".kkj-thought-text")[0]).toContain("first.");
  vi.advanceTimersByTime(5_000);
  expect(texts("summary")).toEqual(["thought for 3.1 s"]);
  expect(thought().open).toBe(true);
});

test("of a thought that came at once no time is told, of one that was broken off the latest", () => {
  write(["think", 0, "hm", 0], ["thought", 0, ""], ["text", 0, "Hi"], ["think", 0, "hm", 1.5]);
  end();
  expect(texts("summary")).toEqual(["thought", "thought for 1.5 s"]);
});

test("on paper a thought is unfolded", () => {
  write(["think", 0, "I **look**", 1], ["thought", 0, "", 1]);
  window.dispatchEvent(new Event("beforeprint"));
  expect(thought().open).toBe(true);
  expect(texts(".kkj-thought strong")).toEqual(["look"]);
  window.dispatchEvent(new Event("afterprint"));
  expect(thought().open).toBe(false);
  pane.dispose();
  window.dispatchEvent(new Event("beforeprint"));
  expect(thought()).toBeUndefined();
});

// ---- calls

test("arguments grow as they come, and are set out when they are complete", () => {
  write(["call", 0, "weather", 0], ["args", 0, '{"at":', 0]);
  expect(texts(".kkj-call .kkj-text")).toEqual(['{"at":']);
  expect(all(".kkj-call.kkj-over")).toHaveLength(0);
  write(["args", 0, '"Rome"}', 0, true]);
  expect(texts(".kkj-call .kkj-text")).toEqual(['{"at": "Rome"}']);
  expect(all(".kkj-call.kkj-over")).toHaveLength(1);
  write(["args", 0, "{", 0]);
  expect(texts(".kkj-call .kkj-text")).toEqual(['{"at":"Rome"}{']);
  write(["anew", 0, '{"at":"Oslo"}', 0, true]);
  expect(texts(".kkj-call .kkj-text")).toEqual(['{"at": "Oslo"}']);
});

test("calls grow side by side, and each has its result", () => {
  write(["call", 0, "weather", 0], ["args", 0, '{"at"', 0], ["call", 0, "time", 1]);
  write(["args", 0, "{}", 1, true], ["args", 0, ': "Rome"}', 0, true]);
  write(["result", 0, "noon", 1], ["result", 0, "21 ", 0], ["result", 0, "°C", 0]);
  expect(texts(".kkj-call-name")).toEqual(["weather", "time"]);
  expect(texts(".kkj-call > .kkj-growing")).toEqual(['{"at": "Rome"}', "{}"]);
  expect(texts(".kkj-call-result .kkj-text")).toEqual(["21 °C", "noon"]);
});

test("half a million characters of arguments, one by one, cost no more each", () => {
  const lines: Line[] = [["call", 0, "write", 0]];
  for (let at = 0; at < 10_000; at += 1) lines.push(["args", 0, "a", 0]);
  const source = sourceOf(...lines);
  const started = Date.now();
  for (let at = 0; at < 50; at += 1) {
    pane.append(source);
    pane.flush();
  }
  expect(texts(".kkj-call .kkj-text")[0]).toHaveLength(500_000);
  expect(Date.now() - started).toBeLessThan(20_000);
});

// ---- what else there is

test("refusals, errors, ends and other things are marked", () => {
  write(["refusal", 0, "I **won't**"], ["error", 0, "Over"], ["error", 0, ""], ["note", 0, "file"]);
  write(["value", 0, '{"a": 1}'], ["role", 0, "user"], ["cut", 0, "length"]);
  expect(texts(".kkj-refusal")).toEqual(["refusedI won't"]);
  expect(texts(".kkj-answer-error")).toEqual(["error: Over", "error"]);
  expect(texts(".kkj-choice > .kkj-answer-note")).toEqual(["[file]", "stopped: length"]);
  expect(texts(".kkj-answer-value")).toEqual(['{"a": 1}']);
  expect(texts(".kkj-answer-heading:not(.kkj-choice-name)")).toEqual(["user"]);
});

test("alternatives stand below each other, in the order of their numbers", () => {
  write(["text", 1, "two"], ["text", 0, "one"], ["text", 1, "!"]);
  expect(texts(".kkj-choice-name")).toEqual(["choice 1", "choice 2"]);
  expect(texts(".kkj-choice > .kkj-answer")).toEqual(["one", "two!"]);
});

const PIXEL = "data:image/png;base64,iVBORw0KGgo=";

test("only pictures that came along are drawn; nothing is fetched", () => {
  const urls = [
    "https://cats.org/c.png",
    "data:image/svg+xml;base64,PHN2Zz4=",
    "javascript:alert()",
  ];
  write(["image", 0, PIXEL, "image/png"]);
  for (const url of urls) write(["image", 0, url, "image/png"]);
  expect(all("img").map((image) => image.getAttribute("src"))).toEqual([PIXEL]);
  expect(texts(".kkj-answer-note")).toEqual([
    ...["[image/png] https://cats.org/c.png", "[image/png]", "[image/png]"],
  ]);
  expect(all("a").map((link) => link.getAttribute("href"))).toEqual([urls[0]]);
});

test("a sound is played when it is there", () => {
  write(["audio", 0, "", "audio/pcm16"]);
  expect(texts(".kkj-answer-media")).toEqual(["[audio/pcm16]"]);
  write(["audio", 0, "data:audio/wav;base64,UklGRg==", "audio/wav"]);
  expect(all("audio")).toHaveLength(1);
  expect(all(".kkj-answer-media")).toHaveLength(1);
});

test("everything is text", () => {
  const hostile = '<img src=x onerror="alert(1)"><script>alert(1)</script>';
  for (const kind of ["text", "think", "refusal", "error", "note", "value", "role", "cut"]) {
    write([kind, 0, hostile, kind === "think" ? 1 : undefined]);
  }
  write(["call", 0, hostile, 0], ["args", 0, hostile, 0, true], ["result", 0, hostile, 0]);
  write(["image", 0, hostile, hostile], ["audio", 0, hostile, hostile]);
  open(thought());
  end();
  expect(all("img, script, [onerror]")).toHaveLength(0);
  expect(pane.element.textContent?.split("onerror=").length).toBe(14);
});

test("what was cut out of the middle is told, and what follows is read", () => {
  const before = sourceOf(["text", 0, "one"], ["call", 0, "f", 0], ["args", 0, '{"a": "', 0]);
  const after = sourceOf(["args", 0, 'z"}', 0], ["args", 0, "}", 7, true], ["text", 0, "two"]);
  pane.append(`${before}["args",0,"b\n[… 1,234 characters left out …]\nc",0]\n${after}`);
  pane.flush();
  end();
  expect(texts(".kkj-choice > .kkj-answer")).toEqual(["one", "two"]);
  expect(texts(".kkj-choice > .kkj-answer-note")).toEqual(["… 1,234 characters left out …"]);
  expect(texts(".kkj-call-name")).toEqual(["f", "…"]);
  expect(texts(".kkj-call > .kkj-growing")[0]).toBe('{"a": " … z"}');
});

test("a page draws only so many parts", () => {
  const lines: Line[] = Array.from({ length: 5_000 }, (_, at) => ["call", 0, "f", at]);
  write(...lines, ["text", 0, "Hello"]);
  expect(all(".kkj-call").length).toBe(2_001);
  expect(pane.element.textContent).toContain("more than 2,000 parts");
});

test("Copy gives the answer's Markdown alone", () => {
  const source = sourceOf(
    ["think", 0, "hm", 1],
    ["text", 0, "I **look**.\n"],
    ["call", 0, "f", 0],
    ["args", 0, "{}", 0, true],
    ["text", 0, "Done."],
  );
  expect(pane.copied?.(source)).toBe("I **look**.\nDone.");
  const other = sourceOf(["text", 1, "two"]);
  expect(pane.copied?.(`${other}[… 9 characters left out …]\n${source}`)).toBe(
    "I **look**.\nDone.\n\n---\n\ntwo\n[… 9 characters left out …]\n",
  );
});

test("a source that is begun anew takes the place of all", () => {
  write(["text", 0, "one"], ["call", 0, "f", 0], ["text", 1, "two"]);
  pane.replace(sourceOf(["text", 0, "three"]));
  pane.flush();
  expect(texts(".kkj-choice > *")).toEqual(["choice 1", "three"]);
  pane.dispose();
});
