import { afterEach, expect, test, vi } from "vitest";
import { makePane } from "../../src/parts/trace";
import { asText, Rows, read } from "../../src/parts/trace/rows";

const REQUEST = { time: "0.0 ms", direction: "out", label: "request", detail: "add", size: "9 B" };
const CHUNKS = {
  time: "2 ms",
  direction: "in",
  label: "chunk × 3",
  detail: "",
  size: "",
  run: true,
};
const AROUND = { heading: "add(1, 2)", summary: "1 frame out" };

function source(...lines: unknown[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

afterEach(() => {
  vi.restoreAllMocks();
  document.head.replaceChildren();
});

test("a source in pieces is the same as a whole one", () => {
  const whole = source(AROUND, [0, REQUEST], [1, CHUNKS], { rows: 1 }, [1, REQUEST]);
  const piecemeal = new Rows();
  for (const character of whole) piecemeal.add(character);
  expect(piecemeal.rows).toEqual(read(whole).rows);
  expect(piecemeal.rows).toEqual([REQUEST, REQUEST]);
  expect(piecemeal.heading).toBe("add(1, 2)");
});

test("what is no line of it is passed over", () => {
  const rows = read(`[… 5 characters left out …]\n${source([7, REQUEST], [0, REQUEST], null)}[0`);
  expect(rows.rows).toEqual([REQUEST]);
});

test("a copy is text", () => {
  expect(asText(source(AROUND, [0, REQUEST], [1, CHUNKS]))).toBe(
    "add(1, 2)\n  0.0 ms  ──►  request  add  9 B\n    2 ms  ◄──  chunk × 3\n1 frame out\n",
  );
});

test("rows are drawn, changed in place, and taken away", () => {
  const pane = makePane({ label: "add(1, 2)" });
  pane.append(source(AROUND, [0, REQUEST], [1, CHUNKS]));
  pane.flush();
  const drawn = () => [...pane.element.querySelectorAll("tbody tr")].map((row) => row.textContent);
  expect(drawn()).toEqual(["0.0 msrequest add▶9 B", "2 ms◀chunk × 3"]);
  const second = pane.element.querySelectorAll("tbody tr")[1];
  pane.append(source([1, { ...CHUNKS, label: "chunk × 40" }]));
  pane.flush();
  expect(drawn()[1]).toBe("2 ms◀chunk × 40");
  expect(pane.element.querySelectorAll("tbody tr")[1]).toBe(second);
  expect(second?.className).toBe("kkj-trace-run kkj-trace-in");
  pane.append(source({ rows: 1 }));
  pane.flush();
  expect(drawn()).toEqual(["0.0 msrequest add▶9 B"]);
  pane.dispose();
});

test("what a frame holds opens below it, as text, and stays open", () => {
  const pane = makePane({ label: "x" });
  const payload = "<img src=x onerror=alert(1)>";
  pane.append(source([0, REQUEST]));
  pane.flush();
  expect(pane.element.querySelector("details")).toBeNull();
  pane.append(source([0, { ...REQUEST, payload }]));
  pane.flush();
  const details = pane.element.querySelector("details") as HTMLDetailsElement;
  expect(details.querySelector("summary")?.textContent).toBe("request add {…}");
  expect(details.querySelector("pre")?.textContent).toBe(payload);
  expect(pane.element.querySelector("img")).toBeNull();
  details.open = true;
  pane.append(source([0, { ...REQUEST, label: "later", payload: "more" }]));
  pane.replace(source([0, { ...REQUEST, label: "later", payload: "more" }]));
  pane.flush();
  expect(pane.element.querySelector("details")).toBe(details);
  expect(details.open).toBe(true);
  expect(details.querySelector("pre")?.textContent).toBe("more");
});
