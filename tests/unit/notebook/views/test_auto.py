"""How `auto` decides, and how it changes its mind; and views of the user's own."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from support.runs import ViewedRun

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.output import assets, control
from kkjupyter.notebook.output.answers import NO_ANSWERS, Answers
from kkjupyter.notebook.output.live_output import LiveOutput
from kkjupyter.notebook.output.places import place_here
from kkjupyter.notebook.output.screens import CellScreen, open_screen
from kkjupyter.notebook.run.registry import RunRegistry
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import VIEWS, AutoView, View, make_view
from kkjupyter.notebook.views.base import SAVED_BYTES
from kkjupyter.notebook.views.saved_form import MIME_TYPE

DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1)


class Numbers(View):
    """Draws numbers with a pane of its own; in a terminal, json stands in for it."""

    name = "numbers"
    pane = "numbers"
    terminal = "json"

    @classmethod
    def suits(cls, item: Any) -> bool:
        return isinstance(item, int)

    @classmethod
    def bears(cls, item: Any) -> bool:
        return isinstance(item, int)

    def render(self, items: Sequence[Any]) -> str:
        return "".join([f"<{item}>" for item in items])


def auto() -> AutoView:
    return AutoView(lambda first: Numbers(), lambda: make_view("json"))


@pytest.mark.parametrize("name", ["auto", None])
@pytest.mark.parametrize(
    ("items", "kind", "text"), [([1, "a"], "json", '1\n"a"\n'), (["a", 1], "text", "a\n1\n")]
)
def test_it_becomes_the_view_that_suits_the_first_item(
    name: str | None, items: list[Any], kind: str, text: str
) -> None:
    view = make_view(name)
    assert view.feed([]) == ""
    assert view.feed(items[:1]) + view.feed(items[1:]) + view.finish() == view.text == text
    assert view.bundle(DONE)[MIME_TYPE]["view"] == kind
    assert make_view(name).finish() == ""


def test_it_stays_with_what_suits_the_first_item() -> None:
    view = auto()
    assert (view.pane, view.version, view.feed([])) == ("text", 0, "")
    assert view.feed([1]) == "<1>"
    assert (view.pane, view.version) == ("numbers", 1)
    assert view.feed([2, 3]) + view.finish() == "<2><3>"
    assert view.text == "<1><2><3>"
    assert view.bundle(DONE)[MIME_TYPE]["view"] == "numbers"


def test_an_item_that_does_not_fit_early_on_changes_its_mind_once() -> None:
    view = auto()
    view.feed([1, 2])
    view.feed([3, "x", 4])
    assert view.text == '1\n2\n3\n"x"\n4\n'
    assert (view.pane, view.version) == ("json", 2)
    view.feed([{}])
    assert (view.text, view.version) == ('1\n2\n3\n"x"\n4\n{}\n', 2)
    assert view.bundle(DONE)[MIME_TYPE]["view"] == "json"


def test_the_first_batch_may_already_hold_what_does_not_fit() -> None:
    view = auto()
    view.feed([1, "x"])
    assert view.text == '1\n"x"\n'


def test_later_on_it_stays_what_it_is() -> None:
    view = auto()
    for n in range(100):
        view.feed([n])
    view.feed(["x"])
    assert view.text.endswith("<99><x>")
    assert view.version == 1


class FakeOutput:
    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.answers = Answers(NO_ANSWERS, SAVED_BYTES)

    def display_bundle(self) -> dict[str, Any]:
        return {}

    def push(self, delta: str, status: Status) -> None:
        self.heard.append(delta)

    def start_anew(self, status: Status) -> None:
        self.heard.append("anew")

    def end(self, status: Status, bundle: dict[str, Any]) -> None:
        self.heard.append("end")


def test_the_page_is_told_to_start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("display", "update"):
        monkeypatch.setattr(f"IPython.display.DisplayHandle.{name}", lambda *_, **__: None)
    widget = FakeOutput()
    screen = CellScreen(widget, auto(), place_here())  # type: ignore[arg-type]
    screen.feed([1], DONE)
    screen.feed([2], DONE)
    screen.end(DONE)
    assert widget.heard == ["anew", "<2>", "end"]


def test_a_new_beginning_sends_everything_and_names_the_pane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = auto()
    output = LiveOutput(view=view, run=ViewedRun(DONE))
    sent: list[dict[str, Any]] = []
    assert output.widget is not None
    monkeypatch.setattr(output.widget, "send", sent.append)
    view.feed([1])
    output.start_anew(DONE)
    assert sent[0]["kind"] == "reset"
    assert (sent[0]["text"], sent[0]["pane"], sent[0]["part"]) == ("<1>", "numbers", None)


# ---- parts of the front end


def test_a_part_is_known_by_what_is_in_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "loud.js"
    path.write_text("export {}")
    part = assets.id_of(path)
    assert part is not None
    assert part.startswith("loud-")
    assert control.answer_part({"id": part}, RunRegistry()) == {
        "status": "ok",
        "source": "export {}",
    }
    assert control.answer_part({"id": "x"}, RunRegistry())["status"] == "error"
    assert assets.id_of(None) is None
    other = tmp_path / "other" / "loud.js"
    other.parent.mkdir()
    other.write_text("export { }")
    assert assets.id_of(other) != part


# ---- views of the user's own


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, type[View]]]:
    before = dict(VIEWS)
    yield VIEWS
    VIEWS.clear()
    VIEWS.update(before)


def test_a_function_becomes_a_view(registry: dict[str, type[View]]) -> None:
    @kk.view("words")
    def words(item: dict[str, str]) -> str | None:
        """The words."""
        return item["word"] + "\ud83d" if item else None

    assert words({"word": "a"}) == "a\ud83d"  # the function is left as it is
    view = make_view("words")
    assert view.feed([{"word": "a"}, {}, {"word": "b"}]) == "a�b�"
    assert view.bundle(DONE)[MIME_TYPE]["view"] == "words"
    assert registry["words"].__doc__ == "The words."


def test_a_class_becomes_a_view_and_may_be_replaced(registry: dict[str, type[View]]) -> None:
    kk.view("numbers")(Numbers)
    assert isinstance(make_view("numbers"), Numbers)
    again = kk.view("numbers")(type("Again", (Numbers,), {}))
    assert isinstance(make_view("numbers"), again)
    view = make_view()
    view.feed([5])
    assert view.pane == "numbers"
    in_terminal = make_view(in_terminal=True)
    assert in_terminal.feed([5]) == "5\n"
    assert make_view("numbers", in_terminal=True).feed([5]) == "5\n"


def test_a_view_may_be_given_as_what_makes_it() -> None:
    made = make_view(partial(Numbers, saved_bytes=10))
    assert (type(made), made.saved_bytes) == (Numbers, 10)
    assert make_view(Numbers, in_terminal=True).feed([5]) == "5\n"


@pytest.mark.parametrize("wrong", [5, Numbers(), lambda: 5])
def test_what_makes_no_view(wrong: Any) -> None:
    with pytest.raises(UsageError, match="view must be a name, or a class or function"):
        open_screen(wrong, ViewedRun(DONE))


@pytest.mark.parametrize(
    ("name", "shape", "match"),
    [
        ("text", Numbers, "view 'text' already exists"),
        ("auto", Numbers, "view 'auto' already exists"),
        ("two words", Numbers, "must be one word"),
        ("five", 5, "takes a function from an item to its text, or a class"),
        ("five", int, "derives from kk.View"),
    ],
)
def test_what_cannot_be_a_view(name: str, shape: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        kk.view(name)(shape)


def test_an_item_that_hides_its_class_is_shown_as_json() -> None:
    class Hidden:
        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise RuntimeError("not yours")

    reply = kk.show(iter([Hidden(), 1])).wait()
    assert (reply.status, reply.view_error, reply.count) == ("done", None, 2)
