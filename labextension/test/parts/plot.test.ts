import { expect, test, vi } from "vitest";
import { ThemeColours } from "../../src/parts/plot/colours";
import { Legend } from "../../src/parts/plot/legend";
import { tickText, timeText, valueText } from "../../src/parts/plot/numbers";
import { asTable, loneAmong, Points } from "../../src/parts/plot/points";

const SOURCE =
  '{"x":null,"time":false,"series":["a"]}\n[0,1]\n' +
  '{"x":null,"time":false,"series":["a","b"]}\n[1,2,3]\n';

function points(source: string): Points {
  const found = new Points();
  found.add(source);
  return found;
}

test("a source in pieces is the same as a whole one", () => {
  const piecemeal = new Points();
  for (const character of SOURCE) piecemeal.add(character);
  expect(piecemeal).toEqual(points(SOURCE));
  expect(piecemeal.newest(null)).toEqual([
    [0, 1],
    [1, 2],
    [null, 3],
  ]);
});

test("the newest points", () => {
  expect(points(SOURCE).newest(1)).toEqual([[1], [2], [3]]);
  expect(points(SOURCE).newest(10)).toEqual(points(SOURCE).newest(null));
});

test("points that go back and forth are a cloud, in order of x", () => {
  const cloud = points('{"series":[""]}\n[3,1]\n[1,2]\n[2,3]\n');
  expect(cloud.isCloud).toBe(true);
  expect(cloud.newest(null)).toEqual([
    [1, 2, 3],
    [2, 3, 1],
  ]);
});

test("what is no point is passed over", () => {
  const odd = points('{"series":[""]}\n[… 5 characters left out …]\n[1\n["x",2]\nnull\n[1,"x"]\n');
  expect(odd.newest(null)).toEqual([[1], [null]]);
});

test("a copy is a table", () => {
  expect(asTable(SOURCE)).toBe("x\ta\tb\n0\t1\t\n1\t2\t3\n");
  expect(asTable('{"x":"t","time":true,"series":[""]}\n[0,1]')).toBe(
    "t\ty\n1970-01-01T00:00:00.000Z\t1\n",
  );
});

test("a value between two gaps is alone: no line leads to it", () => {
  expect(loneAmong([1, null, 2, null, 3, 4, null, null, 5])).toEqual([0, 2, 8]);
  expect(loneAmong([1, 2])).toEqual([]);
  expect(loneAmong([])).toEqual([]);
});

// ---- the legend

function entries(legend: Legend): HTMLButtonElement[] {
  return [...legend.element.querySelectorAll("button")];
}

test("each line has its name and a value, and a click hides it", () => {
  const toggled: [number, boolean][] = [];
  const legend = new Legend((series, isShown) => toggled.push([series, isShown]));
  legend.name(["kitchen", "garden"]);
  legend.show("minute 5", ["21.5", "–"]);
  expect(legend.element.textContent).toBe("minute 5kitchen21.5garden–");
  const [kitchen, garden] = entries(legend);
  garden?.click();
  expect(toggled).toEqual([[1, false]]);
  expect(garden?.ariaPressed).toBe("false");
  // A line more: those that are there keep what was chosen.
  legend.name(["kitchen", "garden", "cellar"]);
  expect([0, 1, 2].map((series) => legend.isShown(series))).toEqual([true, false, true]);
  expect(entries(legend)[0]).toBe(kitchen);
  garden?.click();
  expect(toggled.at(-1)).toEqual([1, true]);
  legend.name(["other"]);
  expect(entries(legend).map((entry) => entry.textContent)).toEqual(["other21.5"]);
});

test.each([
  [21.285714285, "21.2857"],
  [1_234_567.891, "1,234,567.89"],
  [0.123456789, "0.123457"],
  [-1234.5678, "-1,234.57"],
  [1.5e10, "1.500e+10"],
  [3e-7, "3.000e-7"],
  [0, "0"],
  [null, "–"],
  [undefined, "–"],
])("the value %s in words", (value, words) => {
  expect(valueText(value)).toBe(words);
});

test("numbers and times at an axis", () => {
  expect(tickText(0.000125)).toBe("0.000125");
  expect(tickText(null)).toBe("");
  expect(timeText(0)).toMatch(/^19(69|70)-\d\d-\d\d \d\d:\d\d:\d\d$/);
  expect(timeText(1e20)).toBe("1.000e+20");
});

// ---- the theme

test.each(["transitionend", "transitioncancel"])(
  "a change of the theme's colours is noticed once at its %s",
  async (event) => {
    const changed = vi.fn();
    const colours = new ThemeColours(changed);
    document.body.append(colours.element);
    colours.element.style.color = "rgb(1, 2, 3)";
    expect(colours.read()).toBe(true);
    expect(colours.read()).toBe(false);
    colours.element.style.color = "rgb(4, 5, 6)";
    colours.element.dispatchEvent(new Event(event));
    colours.element.dispatchEvent(new Event(event));
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1));
    expect(colours.ink).toBe("rgb(4, 5, 6)");
    // Something else, of no colour, has moved.
    colours.element.dispatchEvent(new Event(event));
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    expect(changed).toHaveBeenCalledTimes(1);
    colours.dispose();
  },
);
