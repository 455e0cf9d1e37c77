import { beforeEach, expect, test, vi } from "vitest";
import { FrameQueue } from "../../src/ui/frames";

let frames: FrameQueue;
let callbacks: (() => void)[];
let clockMs: number;

beforeEach(() => {
  frames = new FrameQueue();
  callbacks = [];
  clockMs = 0;
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => callbacks.push(callback));
  vi.stubGlobal("cancelAnimationFrame", (frame: number) => {
    callbacks[frame - 1] = () => {};
  });
  vi.spyOn(performance, "now").mockImplementation(() => clockMs);
  return () => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  };
});

function frame(): void {
  for (const callback of callbacks.splice(0)) callback();
}

/** Something that draws for so long, and notes it. */
function drawing(name: string, drawn: string[], takesMs = 1) {
  return () => {
    drawn.push(name);
    clockMs += takesMs;
  };
}

test("all that is asked for is drawn in one frame, each once", () => {
  const drawn: string[] = [];
  const [a, b] = [drawing("a", drawn), drawing("b", drawn)];
  for (const draw of [a, b, a]) frames.request(draw);
  expect(callbacks).toHaveLength(1);
  frame();
  expect(drawn).toEqual(["a", "b"]);
  expect(callbacks).toHaveLength(0);
});

test("what a frame has no time for comes first in the next", () => {
  const drawn: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => drawing(name, drawn, 8));
  for (const draw of [a, b, c]) if (draw) frames.request(draw);
  frame();
  expect(drawn).toEqual(["a", "b"]);
  if (a) frames.request(a);
  frame();
  expect(drawn).toEqual(["a", "b", "c", "a"]);
});

test("who fails does not keep the others from being drawn", () => {
  const drawn: string[] = [];
  frames.request(() => {
    throw new Error("cannot draw");
  });
  frames.request(drawing("b", drawn));
  expect(frame).toThrow("cannot draw");
  frame();
  expect(drawn).toEqual(["b"]);
});

test("what is cancelled is not drawn, and the frame not asked for", () => {
  const drawn: string[] = [];
  const draw = drawing("a", drawn);
  frames.request(draw);
  frames.cancel(draw);
  frame();
  expect(drawn).toEqual([]);
  frames.request(draw);
  frame();
  expect(drawn).toEqual(["a"]);
});
