"""A Reply, from its first moment to its end."""

from __future__ import annotations

import copy
import json
import pickle
import re
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.errors import KKError, RemoteError, error_line
from kkjupyter.notebook.retention import Limits
from kkjupyter.notebook.run.extractors import ChunkTexts, picker
from kkjupyter.notebook.run.reply import Reply, joined_text


def test_a_stream() -> None:
    reply = Reply("chat('Hi')")
    assert (reply.status, reply.items, reply.text, reply.first_item_s) == ("waiting", [], "", None)
    reply.extend(["Hel", "lo"])
    assert reply.status == "streaming"
    assert not reply.is_over
    reply.end("done", value={"tokens": 2})
    assert reply.is_over
    assert (reply.items, reply.text, reply.value) == (["Hel", "lo"], "Hello", {"tokens": 2})
    assert reply.first_item_s is not None
    assert 0 <= reply.first_item_s <= reply.elapsed_s
    assert reply.elapsed_s == reply.elapsed_s  # stands still
    assert re.fullmatch(r"<Reply chat\('Hi'\): done, 2 items, 0\.\d\d s>", repr(reply))


def test_a_unary_call() -> None:
    reply = Reply("math.add(1, 2)")
    reply.end("done", value=3)
    assert (reply.items, reply.value, reply.text) == ([], 3, "3\n")
    assert re.fullmatch(r"<Reply math\.add\(1, 2\): done, value 3, 0\.0\d s>", repr(reply))


def test_cancelled_and_failed() -> None:
    reply = Reply("ticks()")
    reply.extend([1])
    reply.end("cancelled")
    assert repr(reply) == "<Reply ticks(): cancelled after 1 item>"

    reply = Reply("failingStream()")
    reply.extend([1, 2])
    reply.end("failed", error=RemoteError("something went wrong", name="ValueError"))
    assert repr(reply) == (
        "<Reply failingStream(): failed after 2 items, ValueError: something went wrong>"
    )


def test_beyond_the_limits_items_and_text_say_what_is_left_out() -> None:
    reply = Reply("chat()", Limits(items=4))
    reply.extend([str(n) for n in range(10)])
    reply.end("done")
    assert (reply.count, reply.items, reply.items.left_out) == (10, ["0", "1", "8", "9"], 6)
    assert reply.text == "01\n[... 6 items left out ...]\n89"
    assert "10 items (6 left out)" in repr(reply)


def test_joined_text() -> None:
    assert joined_text([]) == ""
    assert joined_text(["a", {"b": "é"}, 3, "c", None]) == 'a\n{"b": "é"}\n3\nc'
    assert joined_text([3, "c", None]) == "3\nc\nnull\n"
    assert joined_text(["\ud83d", "\ude00"]) == "😀"
    assert joined_text(["\ud83d", "x"]) == "\ud83dx"
    assert joined_text([b"ab", float("nan")]) == "<2 bytes: 61 62>\nNaN\n"


def test_an_error_in_one_line() -> None:
    assert error_line(RemoteError("boom")) == "RemoteError: boom"
    assert error_line(RemoteError("boom\nmore", name="TypeError")) == "TypeError: boom"
    assert error_line(ValueError("boom")) == "ValueError: boom"
    assert error_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_an_error_cannot_steer_a_terminal() -> None:
    reply = Reply("f()")
    reply.end("failed", error=RemoteError("\x1b[31mred", name="Oops"))
    assert repr(reply) == "<Reply f(): failed, Oops: red>"


# ---- texts of bytes and of None

CUT = "日本 😀\n".encode()


@pytest.mark.parametrize("size_bytes", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_text_of_bytes_is_put_together_over_cuts(
    kind: Any, size_bytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = [kind(CUT[at : at + size_bytes]) for at in range(0, len(CUT), size_bytes)]
    reply = kk.show(iter(pieces), view="text").wait()
    assert reply.text == CUT.decode()
    assert capsys.readouterr().out.startswith(CUT.decode())
    assert reply.items == pieces


def test_bytes_that_are_no_utf8_are_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    reply = kk.show(iter([b"a\xff", b"b\xe6", "c", b"d\xe6"]), view="text").wait()
    assert reply.text == "a\ufffdb\ufffdcd\ufffd"
    assert capsys.readouterr().out.startswith(f"{reply.text}\n")


def test_bytes_without_a_view_for_text_are_data() -> None:
    assert kk.show(iter([b"ab"])).wait().text == "<2 bytes: 61 62>\n"


@pytest.mark.parametrize("view", ["auto", "text", "markdown"])
@pytest.mark.parametrize("items", [["", "Hel", "lo", None], [None, None, "Hel", None, "lo", None]])
def test_none_in_a_stream_of_text_is_nothing(
    view: str, items: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    reply = kk.show(iter(items), view=view).wait()
    assert capsys.readouterr().out.startswith("Hello\n✓")
    assert (reply.text, reply.items) == ("Hello", items)


@pytest.mark.parametrize(
    ("items", "text"),
    [([None, None], "null\nnull\n"), ([None, 1, None], "null\n1\nnull\n")],
)
def test_none_among_values_is_a_value(
    items: list[Any], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = kk.show(iter(items)).wait()
    assert (reply.text, reply.items) == (text, items)
    assert capsys.readouterr().out.startswith(text)


# ---- .text never raises


class Foreign:
    """Asked for anything, it raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"the session is closed: {name}")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Hostile(Foreign):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"nothing is told: {name}")


@pytest.mark.parametrize(
    "make",
    [Foreign, Hostile, lambda: [Foreign()], lambda: {"a": Hostile()}, lambda: 10**5000],
    ids=["foreign", "hostile", "in a list", "in a dict", "large"],
)
def test_the_text_of_anything_is_a_text(make: Any) -> None:
    reply = Reply("f()", pick=ChunkTexts())
    reply.extend(["a", make(), "b"])
    assert reply.text.startswith("a\n")
    assert reply.text.endswith("\nb")
    reply = Reply("f()")
    reply.end("done", value=make())
    assert reply.text.endswith("\n")


def test_the_text_of_what_pick_failed_on() -> None:
    reply = Reply("f()", pick=picker(lambda item: 1 / item))
    reply.extend([1, 0, 2])
    assert reply.text == "1\n0.5\n"


# ---- the items are one list


def test_the_items_are_a_view() -> None:
    reply = Reply("f()")
    items = reply.items
    assert items is reply.items
    reply.extend([1, 2, 3])
    assert (items, len(items), items[0], items[-1], items[1:]) == ([1, 2, 3], 3, 1, 3, [2, 3])
    assert (list(items), repr(items), 2 in items, items.index(3)) == (
        [1, 2, 3],
        "[1, 2, 3]",
        True,
        2,
    )
    assert sorted(items, reverse=True) == [3, 2, 1]
    assert items.__add__([4]) == [1, 2, 3, 4]
    assert type(items[:]) is type(list(items)) is list
    kept = [pickle.loads(pickle.dumps(items)), copy.copy(items), copy.deepcopy(items)]
    reply.extend([4])
    assert (items, kept) == ([1, 2, 3, 4], [[1, 2, 3]] * 3)
    assert json.loads(json.dumps(items)) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.append(1),
        lambda items: items.sort(),
        lambda items: items.clear(),
        lambda items: items.__setitem__(0, 1),
        lambda items: items.__delitem__(0),
        lambda items: items.__iadd__([1]),
    ],
)
def test_the_items_cannot_be_changed(change: Any) -> None:
    reply = Reply("f()")
    reply.extend([2, 1])
    with pytest.raises(kk.UsageError, match=r"list\(reply.items\)"):
        change(reply.items)
    assert reply.items == [2, 1]


@pytest.mark.slow
def test_the_items_can_be_read_while_they_come() -> None:
    reply = Reply("f()", Limits(items=1000))
    stop = threading.Event()

    def fill() -> None:
        while not stop.is_set():
            reply.extend(range(50))

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        for _ in range(200):
            assert len(list(reply.items)) <= 1100
            assert all(0 <= item < 50 for item in reply.items)
            repr(reply.items)
            reply.text  # noqa: B018
            copy.copy(reply)
            pickle.dumps(reply)
    finally:
        stop.set()
        thread.join()


# ---- a reply that is kept


class Odd(Exception):
    """It can be pickled, but not read back."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)


class Locked(Exception):
    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


def filled(**options: Any) -> Reply:
    reply = Reply("f()", **options)
    reply.extend([{"n": 1}, {"n": 2}])
    return reply


KEEPERS = [lambda reply: pickle.loads(pickle.dumps(reply)), copy.copy, copy.deepcopy]


@pytest.mark.parametrize("keep", KEEPERS)
def test_a_reply_can_be_kept(keep: Any) -> None:
    reply = filled(pick=picker(lambda item: f"{item['n']} "))
    reply.end("done", value={"tokens": 2})
    kept = keep(reply)
    assert (kept.items, kept.text, kept.value) == (reply.items, "1 2 ", {"tokens": 2})
    assert (kept.status, kept.count, kept.limits) == ("done", 2, reply.limits)
    assert (kept.first_item_s, kept.is_over, repr(kept)) == (reply.first_item_s, True, repr(reply))
    assert kept.elapsed_s == pytest.approx(reply.elapsed_s)
    again = keep(kept)
    assert (again.items, again.text) == (reply.items, "1 2 ")


@pytest.mark.parametrize("keep", KEEPERS)
def test_a_kept_reply_is_what_came_so_far(keep: Any) -> None:
    reply = filled()
    kept = keep(reply)
    reply.extend([{"n": 3}])
    reply.end("done")
    assert (kept.items, kept.status, kept.is_over) == ([{"n": 1}, {"n": 2}], "streaming", False)
    assert kept.text == '{"n": 1}\n{"n": 2}\n'
    assert kept.elapsed_s == kept.elapsed_s  # stands still


def test_a_deep_copy_has_items_of_its_own() -> None:
    reply = filled()
    copy.deepcopy(reply).items[0]["n"] = 5
    assert reply.items[0] == {"n": 1}


@pytest.mark.parametrize("keep", KEEPERS)
def test_a_kept_reply_says_what_it_lacks(keep: Any) -> None:
    reply = Reply("f()", Limits(items=4))
    reply.extend([str(n) for n in range(10)])
    kept = keep(reply)
    assert (kept.count, kept.items.left_out, kept.text) == (10, 6, reply.text)
    assert repr(kept.items) == "['0', '1', <6 items left out>, '8', '9']"


@pytest.mark.parametrize("keep", KEEPERS)
@pytest.mark.parametrize(
    "error",
    [
        RemoteError("boom", name="TypeError", data={"code": 3}),
        kk.CallCancelled("f()", 2),
        kk.CallTimeout("f()", 1.5),
        kk.BufferOverflow("f()", limit_items=3),
        ValueError("boom"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_error_is_kept(keep: Any, error: Exception) -> None:
    reply = filled()
    reply.view_error = error
    reply.end("failed", error=error)
    kept = keep(reply)
    assert type(kept.error) is type(kept.view_error) is type(error)
    assert str(kept.error) == str(error)
    assert repr(kept) == repr(reply)


@pytest.mark.parametrize("error", [Odd(3, "it broke"), Locked()])
def test_an_error_that_cannot_be_pickled_is_kept_as_its_text(error: Exception) -> None:
    reply = filled()
    reply.end("failed", error=error)
    kept = pickle.loads(pickle.dumps(reply))
    assert isinstance(kept.error, KKError)
    assert str(kept.error) == error_line(error)
    assert copy.deepcopy(reply).error is error


def test_items_of_any_kind_are_kept() -> None:
    reply = Reply("f()", pick=ChunkTexts())
    delta = SimpleNamespace(content="Hi")
    reply.extend([SimpleNamespace(choices=[SimpleNamespace(delta=delta)])])
    kept = pickle.loads(pickle.dumps(reply))
    assert (kept.text, kept.items) == ("Hi", reply.items)


@pytest.mark.parametrize("keep", [pickle.dumps, copy.deepcopy])
@pytest.mark.parametrize("items", [[threading.Lock()], ["a", {"lock": threading.Lock()}]])
def test_items_that_cannot_be_kept_are_told_of(keep: Any, items: list[Any]) -> None:
    reply = Reply("f()")
    reply.extend(items)
    with pytest.raises(TypeError, match=r"f\(\): its items cannot be pickled .*; keep reply.text"):
        keep(reply)
    assert copy.copy(reply).items == items


def test_a_unary_reply_can_be_kept() -> None:
    reply = Reply("f()")
    reply.end("done", value={"a": 1})
    for keep in KEEPERS:
        assert (keep(reply).value, keep(reply).text) == ({"a": 1}, '{"a": 1}\n')
        assert repr(keep(reply)) == repr(reply)


def frames() -> Iterator[Any]:
    yield from [{"a": 1}, {"a": 2}]


def test_a_kept_reply_of_a_run_has_its_data_frame() -> None:
    reply = kk.show(frames()).wait()
    kept = pickle.loads(pickle.dumps(reply))
    assert list(kept.dataframe("pandas")["a"]) == [1, 2]
