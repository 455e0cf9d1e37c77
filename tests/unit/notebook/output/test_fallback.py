"""A view that raises ends visibly: the stream goes on, and the json view shows all that came."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from support.runs import ViewedRun
from support.waiting import until

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.output import fallback, screens
from kkjupyter.notebook.output.widget import OutputWidget
from kkjupyter.notebook.retention import Limits
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.show.waiting import show_again
from kkjupyter.notebook.views import VIEWS, make_view
from kkjupyter.notebook.views.plot.view import PlotView
from kkjupyter.notebook.views.saved_form import MIME_TYPE, Body

ITEMS: list[Any] = [{"word": "a"}, {"word": "b"}, {"kind": "ping"}, {"word": "c"}]
LINES = '{"word": "a"}\n{"word": "b"}\n{"kind": "ping"}\n{"word": "c"}\n'


class Page:
    """What a front end gets: messages of the widgets, and the outputs of the cell."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    @property
    def saved(self) -> dict[str, Any]:
        return self.outputs[-1]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page()
    handle = "IPython.display.DisplayHandle"
    for module in ("output.screens", "show.compare_screens", "show.waiting"):
        monkeypatch.setattr(f"kkjupyter.notebook.{module}.is_terminal", lambda: False)
    monkeypatch.setattr(f"{handle}.display", lambda _, data, **__: page.outputs.append(data))
    monkeypatch.setattr(f"{handle}.update", lambda _, data, **__: page.outputs.append(data))
    monkeypatch.setattr(OutputWidget, "send", lambda _, content: page.messages.append(content))
    return page


@pytest.fixture(autouse=True)
def own_views(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("words", "odd"):
        monkeypatch.setitem(VIEWS, name, VIEWS["json"])

    @kk.view("words")
    def words(item: Any) -> str:
        return str(item["word"]) + " "


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


class Words(kk.View):
    name = "words"

    def render(self, items: Sequence[Any]) -> str:
        return "".join([f"{item} " for item in items])


class RaisesAtTheEnd(Words):
    def flush(self) -> str:
        return f"{1 / 0}"


class RaisesInItsBody(Words):
    def body(self, excerpt: Any) -> Any:
        raise LookupError("no body")


class HasNoBody(Words):
    def body(self, excerpt: Any) -> Any:
        return None


class HasABodyOfOtherThings(Words):
    def body(self, excerpt: Any) -> Any:
        return Body(html="", plain=5)  # type: ignore[arg-type]


class HasNoBundle(Words):
    def bundle(self, status: Any) -> Any:
        return None


class ReturnsNone(Words):
    def render(self, items: Sequence[Any]) -> Any:
        return None


class ReturnsNumbers(Words):
    def render(self, items: Sequence[Any]) -> Any:
        return len(items)


class ReturnsHalfACharacter(Words):
    def render(self, items: Sequence[Any]) -> str:
        return "\ud83d"


class IsNotMadeWhole(Words):
    def __init__(self) -> None:
        self.count = 0


class CannotBeMade(Words):
    def __init__(self) -> None:
        raise OSError("no such file")


class Exits(Words):
    def render(self, items: Sequence[Any]) -> str:
        raise SystemExit(3)


class IsCancelled(Words):
    def render(self, items: Sequence[Any]) -> str:
        raise asyncio.CancelledError


class RaisesWithoutText(Words):
    def render(self, items: Sequence[Any]) -> str:
        raise Unprintable


@pytest.mark.parametrize(
    ("view", "error", "said"),
    [
        ("words", KeyError, "view 'words' failed at item 3: KeyError: 'word'; shown as JSON"),
        (RaisesAtTheEnd, ZeroDivisionError, "failed at its end: ZeroDivisionError: division"),
        (RaisesInItsBody, LookupError, "failed in its saved output: LookupError: no body"),
        (HasNoBody, AttributeError, "failed in its saved output: AttributeError"),
        (HasABodyOfOtherThings, TypeError, "a view returns text, not int"),
        (HasNoBundle, TypeError, "a view's bundle is a dict, not NoneType"),
        (ReturnsNone, TypeError, "a view returns text, not NoneType"),
        (ReturnsNumbers, TypeError, "failed between items 1 and 4: TypeError"),
        (ReturnsHalfACharacter, UnicodeEncodeError, "UnicodeEncodeError"),
        (IsNotMadeWhole, AttributeError, "AttributeError"),
        (CannotBeMade, OSError, "failed when it was made: OSError: no such file"),
        (Exits, SystemExit, "SystemExit: 3"),
        (IsCancelled, asyncio.CancelledError, "CancelledError"),
        (RaisesWithoutText, Unprintable, "Unprintable; shown as JSON"),
    ],
)
def test_a_view_that_raises_ends_as_json(
    page: Page, view: Any, error: type[BaseException], said: str
) -> None:
    reply = kk.show(iter(ITEMS), view=view).wait()
    assert (reply.status, reply.items, reply.error) == ("done", ITEMS, None)
    assert isinstance(reply.view_error, error)
    assert page.saved["text/plain"] == LINES
    [note] = page.saved[MIME_TYPE]["notes"]
    assert said in note
    assert said.split(":")[0].replace("'", "&#x27;") in page.saved["text/html"]
    assert page.saved[MIME_TYPE]["pane"] == "json"
    # The page that shows it live begins anew, with the json pane, and learns of the end.
    if view not in (CannotBeMade, IsNotMadeWhole):
        assert page.of_kind("reset")[-1]["pane"] == "json"
    assert page.messages[-1]["kind"] == "end"
    assert page.messages[-1]["status"]["notes"] == [note]


@pytest.mark.parametrize("size", [1, 5, 300])
@pytest.mark.parametrize("at", [0, 3, 299])
def test_the_item_is_named_however_many_came_at_once(page: Page, size: int, at: int) -> None:
    items: list[Any] = [{"word": str(n)} for n in range(300)]
    items[at] = None
    screen = screens.open_screen("words", ViewedRun(registry_status()))
    lines: list[str] = []
    owner = Owner(items, lines)
    screen.bind(owner)
    for start in range(0, 300, size):
        owner.count = start + size
        screen.feed(items[start : start + size], owner.status())
    assert len(lines) == 1
    assert f"failed at item {at + 1:,}: TypeError" in lines[0]
    assert page.saved is page.outputs[0]
    screen.end(owner.status())
    assert page.saved["text/plain"].count("\n") == 300


def registry_status() -> Any:
    from kkjupyter.notebook.run_status import Status

    return Status(1, "f()", "done", "stream", 1, 1.0, 0.1)


class Owner:
    """A run, as far as a screen asks for one."""

    def __init__(self, items: Sequence[Any], lines: list[str]) -> None:
        self.items = items
        self.lines = lines
        self.count = len(items)

    def status(self) -> Any:
        return registry_status()

    def shown_so_far(self) -> tuple[Sequence[Any], int]:
        return self.items[: self.count], 0

    def view_failed(self, line: str, error: BaseException) -> None:
        self.lines.append(line)

    def post_later(self, job: Callable[[], object], delay_s: float) -> object:
        return None


def test_what_is_not_looked_at_one_by_one_is_named_by_its_neighbours() -> None:
    class Sums(kk.View):
        name = "sums"

        def render(self, items: Sequence[Any]) -> str:
            numbers = [float(item) for item in items]
            return f"{1 / (sum(numbers) - 3)}"

    lines: list[str] = []
    view = fallback.FallbackView(Sums())
    view.bind(Owner([1, 2], lines))
    view.feed([1, 2])
    assert "failed between items 1 and 2: ZeroDivisionError" in lines[0]


def test_should_json_fail_too_it_is_plain_text(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise KeyError("odd")

    def render(self: Any, items: Sequence[Any]) -> str:
        raise RecursionError("too deep")

    monkeypatch.setattr("kkjupyter.notebook.views.json.JsonView.render", render)
    reply = kk.show(iter([1, Odd(), "x\ny"]), view=ReturnsNone).wait()
    assert isinstance(reply.view_error, TypeError)
    assert page.saved["text/plain"] == "1\n<Odd: its repr raised KeyError>\n'x\\ny'\n"
    notes = page.saved[MIME_TYPE]["notes"]
    assert any("RecursionError: too deep; shown as plain text" in note for note in notes)
    assert page.messages[-1]["kind"] == "end"


def test_items_that_are_not_kept_are_counted(page: Page) -> None:
    items: list[Any] = [{"word": n} for n in range(20)]
    items.append({})
    reply = kk.show(iter(items), view="words", limits=Limits(items=10)).wait()
    left_out = reply.items.left_out
    assert left_out
    [note] = page.saved[MIME_TYPE]["notes"]
    assert note.endswith(f"shown as JSON ({left_out} items are left out)")


def test_a_pick_is_heeded_by_what_stands_in(page: Page) -> None:
    kk.show(iter([("a", 1), ("b", 2)]), view="words", pick=lambda item: item[1]).wait()
    assert page.saved["text/plain"] == "1\n2\n"


def test_auto_names_the_view_it_has_become(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    @kk.view("odd")
    class Odd(kk.View):
        @classmethod
        def suits(cls, item: Any) -> bool:
            return bool(item == "odd")

        def render(self, items: Sequence[Any]) -> str:
            raise ValueError("no")

    kk.show(iter(["odd", "one"])).wait()
    assert page.saved["text/plain"] in ('"odd"\n"one"\n', "oddone")
    Odd.suits = classmethod(lambda cls, item: 1 / 0)  # type: ignore[method-assign, assignment]
    reply = kk.show(iter([1.5j])).wait()
    assert reply.status == "done"
    assert page.saved["text/plain"] == "1.5j\n"


def test_in_a_comparison_the_other_columns_stay(page: Page) -> None:
    replies = kk.compare(
        {"A": iter([{"word": "a1"}, {"kind": "ping"}]), "B": iter([{"word": "b1"}])}, view="words"
    ).wait()
    assert isinstance(replies["A"].view_error, KeyError)
    assert replies["B"].view_error is None
    until(lambda: "── B\nb1" in page.saved["text/plain"])
    assert '── A\n{"word": "a1"}\n{"kind": "ping"}\n' in page.saved["text/plain"]
    notes = [column["notes"] for column in page.saved[MIME_TYPE]["columns"]]
    assert [len(of_column) for of_column in notes] == [1, 0]


@pytest.mark.parametrize("view", [HasNoBundle, RaisesInItsBody, CannotBeMade, Exits, ReturnsNone])
def test_a_comparison_survives_any_view(page: Page, view: Any) -> None:
    kk.compare({"A": iter(["x"]), "B": iter(["y"])}, view=view).wait()
    until(lambda: "── B" in page.saved["text/plain"])
    assert '── A\n"x"\n\n── B\n"y"\n' in page.saved["text/plain"]


def test_a_column_may_leave_text_only(page: Page) -> None:
    class Bare(Words):
        def bundle(self, status: Any) -> dict[str, Any]:
            return {"text/plain": "<just this>"}

    kk.compare({"A": iter(["x"]), "B": iter(["y"])}, view=Bare).wait()
    until(lambda: "── B" in page.saved["text/plain"])
    assert "── A\n<just this>\n" in page.saved["text/plain"]
    assert "&lt;just this&gt;</pre>" in page.saved["text/html"]


def test_a_later_view_of_a_finished_stream(page: Page) -> None:
    reply = kk.show(iter(ITEMS), view="json").wait()
    assert reply.view_error is None
    [run] = [run for run in registry.all() if run.reply is reply]
    show_again(run, "words")
    assert page.saved["text/plain"] == LINES
    assert isinstance(reply.view_error, KeyError)
    assert "view 'words' failed at item 3" in page.saved[MIME_TYPE]["notes"][0]


def test_a_terminal_goes_on_below(capsys: pytest.CaptureFixture[str]) -> None:
    def items() -> Iterator[Any]:
        for item in ITEMS:
            gate.wait(5)
            yield item

    gate = threading.Event()
    gate.set()
    reply = kk.show(items(), view="words").wait()
    assert isinstance(reply.view_error, KeyError)
    out = capsys.readouterr().out
    assert '{"kind": "ping"}\n{"word": "c"}\n✓ 4 items' in out
    assert "view 'words' failed at item 3: KeyError: 'word'; shown as JSON" in out.splitlines()[-1]


def test_a_mistake_in_the_name_is_still_an_error(page: Page) -> None:
    with pytest.raises(UsageError):
        kk.show(iter([1]), view="wrods")
    with pytest.raises(UsageError):
        kk.show(iter([1]), view=lambda: 5).wait()  # type: ignore[arg-type, return-value]


def test_arguments_that_a_class_refuses(page: Page) -> None:
    reply = kk.show(iter([1]), view=partial(PlotView, lost=3)).wait()
    assert isinstance(reply.view_error, TypeError)
    assert page.saved["text/plain"] == "1\n"


def test_a_page_that_cannot_be_reached_costs_no_output(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(self: Any, content: Any) -> None:
        raise OSError("the socket is closed")

    monkeypatch.setattr(OutputWidget, "send", send)
    reply = kk.show(iter(ITEMS), view="json").wait()
    assert reply.status == "done"
    assert page.saved["text/plain"] == LINES


def test_what_is_there_is_taken_without_code_of_the_users() -> None:
    view = fallback.FallbackView(RaisesInItsBody())
    view.feed(["a", "b"])
    bundle = view.bundle_as_it_is(registry_status())
    assert (bundle["text/plain"], view.failures) == ("a b ", 0)
    view = fallback.FallbackView(make_view("table"))
    view.feed([{"a": 1}])
    assert "<table" in view.bundle_as_it_is(registry_status())["text/html"]
