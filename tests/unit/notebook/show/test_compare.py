"""Several streams side by side: what comes back, what is printed, what is saved."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.waiting import auntil, until

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.comparison_table import columns_bundle, figures
from kkjupyter.notebook.views.saved_form import MIME_TYPE


def words(*texts: str) -> Iterator[str]:
    for text in texts:
        time.sleep(0.01)
        yield text


def begun(closed: list[str]) -> Iterator[int]:
    """A stream that has begun, and notes its end."""

    def stream() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append("A")

    started = stream()
    next(started)
    return started


def failing() -> Iterator[str]:
    yield "one"
    raise ValueError("something went wrong")


def status(**changes: Any) -> Status:
    given = {"run_id": 1, "title": "A", "state": "done", "kind": "stream", "count": 11}
    return Status(**{**given, "elapsed_s": 3.0, "first_item_s": 1.0, **changes})


def test_all_are_waited_for_and_printed_one_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    compared = kk.compare({"A": words("Hello ", "there"), "B": words("Hi")})
    replies = compared.wait()
    assert {name: reply.text for name, reply in replies.items()} == {"A": "Hello there", "B": "Hi"}
    assert replies is compared.replies
    out = capsys.readouterr().out
    assert "── A\nHello there\n✓ 2 items" in out
    assert "── B\nHi\n✓ 1 item" in out
    with pytest.raises(UsageError, match="already shown"):
        compared.wait()


def test_it_can_be_awaited(capsys: pytest.CaptureFixture[str]) -> None:
    async def ticks() -> AsyncIterator[int]:
        for n in range(3):
            await asyncio.sleep(0.01)
            yield n

    async def compared() -> Any:
        return await kk.compare({"A": ticks(), "B": words("x")})

    replies = asyncio.run(compared())
    assert (replies["A"].items, replies["B"].items) == ([0, 1, 2], ["x"])


def test_what_runs_on_this_very_loop_is_not_waited_for_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def ticks() -> AsyncIterator[int]:
        yield 1

    async def compared() -> None:
        compared = kk.compare({"A": ticks(), "B": words("x")})
        with pytest.raises(UsageError, match=r"A of this .*write `await kk.compare"):
            compared.wait()
        replies = compared.last_line()
        await auntil(lambda: all(reply.is_over for reply in replies.values()))

    asyncio.run(compared())
    out = ""

    def both_are_printed() -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return out.count("✓") == 2

    until(both_are_printed)
    assert out.count("`await kk.compare(...)` waits for its end") == 1


def test_one_that_fails_leaves_the_others_alone(capsys: pytest.CaptureFixture[str]) -> None:
    replies = kk.compare({"good": words("a", "b"), "bad": failing()}).wait()
    assert replies["good"].status == "done"
    assert isinstance(replies["bad"].error, ValueError)
    assert "✕ ValueError after 1: something went wrong" in capsys.readouterr().out


def test_when_all_fail_so_does_the_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="something went wrong"):
        kk.compare({"a": failing(), "b": failing()}).wait()


def test_cancel_ends_all(capsys: pytest.CaptureFixture[str]) -> None:
    def endless() -> Iterator[int]:
        while True:
            time.sleep(0.01)
            yield 1

    compared = kk.compare({"A": endless(), "B": endless()})
    threading.Timer(0.2, compared.cancel).start()
    replies = compared.wait()
    assert [reply.status for reply in replies.values()] == ["cancelled", "cancelled"]


def test_one_that_is_never_shown_is_warned_of_and_lets_its_sources_go() -> None:
    closed: list[str] = []
    compared = kk.compare({"A": begun(closed)})
    with pytest.warns(RuntimeWarning, match=r"kk\.compare\(\.\.\.\) was never shown"):
        del compared
    until(lambda: closed)


def test_cancelled_before_it_is_shown_it_is_complete_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    handle = "IPython.display.DisplayHandle"
    monkeypatch.setattr("kkjupyter.notebook.show.compare_screens.is_terminal", lambda: False)
    monkeypatch.setattr(f"{handle}.display", lambda *_, **__: shown.append("live"))
    monkeypatch.setattr(f"{handle}.update", lambda *_, **__: shown.append("static"))
    compared = kk.compare({"A": words("a"), "B": words("b")})
    compared.cancel()
    until(lambda: all(reply.is_over for reply in compared.replies.values()))
    compared.wait()
    until(lambda: len(shown) == 2)
    assert shown == ["live", "static"]


@pytest.mark.parametrize("sources", [{}, [1, 2], "x"])
def test_what_cannot_be_compared(sources: Any) -> None:
    with pytest.raises(UsageError, match="name the streams"):
        kk.compare(sources)


def test_a_source_that_does_not_stream_takes_the_others_along() -> None:
    closed: list[str] = []
    with pytest.raises(UsageError):
        kk.compare({"A": begun(closed), "B": 5})
    deadline_s = time.monotonic() + 5
    while not closed and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert closed == ["A"]


def test_the_figures() -> None:
    assert figures(status()) == ["1.0 s", "5.0/s", "11 items", "3.0 s"]
    assert figures(status(count=123_457)) == ["1.0 s", "62,000/s", "123,457 items", "3.0 s"]
    assert figures(status(count=1)) == ["1.0 s", "–", "1 item", "3.0 s"]
    assert figures(status(count=0, first_item_s=None)) == ["–", "–", "0 items", "3.0 s"]
    tokens = status(written=22, unit="tokens")
    assert figures(tokens) == ["1.0 s", "10/s", "22 tokens", "3.0 s"]


def test_what_is_saved() -> None:
    def bundle(text: str) -> dict[str, Any]:
        view = make_view("text")
        view.feed([text])
        return view.bundle(status())

    saved = columns_bundle(
        {"<A>": bundle("one <b>"), "longer name": bundle("two")},
        {"<A>": status(), "longer name": status(count=1_000)},
    )
    assert saved["text/plain"] == (
        "── <A>\none <b>\n\n── longer name\ntwo\n\n"
        "             first item   rate       amount   time\n"
        "<A>               1.0 s  5.0/s     11 items  3.0 s\n"
        "longer name       1.0 s  500/s  1,000 items  3.0 s"
    )
    assert "<b>" not in saved["text/html"]
    assert "&lt;A&gt;" in saved["text/html"]
    names = [column["name"] for column in saved[MIME_TYPE]["columns"]]
    assert names == ["<A>", "longer name"]


def test_the_text_of_each_column_is_told_by_its_place() -> None:
    bundles = {}
    for name, text in {"A": "x 😀\n", "B": "y"}.items():
        view = make_view("text")
        view.feed([text])
        bundles[name] = view.bundle(status())
    saved = columns_bundle(bundles, {name: status() for name in bundles})
    units = saved["text/plain"].encode("utf-16-le")
    columns = saved[MIME_TYPE]["columns"]
    places = [column["at"] for column in columns]
    texts = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in places]
    assert texts == ["x 😀", "y"]
    assert all("source" not in column for column in columns)
