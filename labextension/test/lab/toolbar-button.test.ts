import { Signal } from "@lumino/signaling";
import { expect, test } from "vitest";
import { PageStreams } from "../../src/lab/page-streams";
import { buttonCaption, buttonLabel, makeToolbarButton } from "../../src/lab/toolbar-button";
import { FakeWidget, Notebook, running } from "../support/lab";

class FakeButton extends FakeWidget {
  isHidden = false;
  disposed = { connect: () => {} };
  constructor(readonly options: { args: object }) {
    super();
  }
  setHidden(hidden: boolean) {
    this.isHidden = hidden;
  }
}

test("the button is there while streams run, and says how many and which", () => {
  const notebook = new Notebook();
  const page = new PageStreams(Signal);
  const said: string[] = [];
  const streams = page.follow(notebook.panel);
  const commands = { notifyCommandChanged: () => said.push(buttonLabel(streams)) };
  const button = makeToolbarButton(
    { CommandToolbarButton: FakeButton } as never,
    commands as never,
    "cancel",
    notebook.panel,
    page,
  ) as unknown as FakeButton;
  expect(button.isHidden).toBe(true);
  expect(button.options.args).toEqual({ notebook: "notebook" });
  said.length = 0;
  notebook.sayStreams(running(), running({ run_id: 4, title: "ticks()" }));
  expect(button.isHidden).toBe(false);
  expect(buttonCaption(streams)).toBe("chat('tides')\nticks()\nCancel 2 streams");
  notebook.sayStreams(running({ count: 13 }), running({ run_id: 4, title: "ticks()" }));
  notebook.sayStreams(running());
  expect(said).toEqual(["Cancel 2 streams", "Cancel stream"]);
  notebook.say(0, null);
  expect(button.isHidden).toBe(true);
});

test("of many titles some are told", () => {
  const notebook = new Notebook();
  const streams = new PageStreams(Signal).follow(notebook.panel);
  notebook.sayStreams(...Array.from({ length: 12 }, (_, i) => running({ run_id: i })));
  const lines = buttonCaption(streams).split("\n");
  expect(lines).toHaveLength(12);
  expect(lines.slice(-2)).toEqual(["2 more streams", "Cancel 12 streams"]);
});
