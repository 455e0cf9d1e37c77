import { expect, test } from "vitest";
import { asTable, Points } from "../../src/parts/plot/points";

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
