"""A Reply, from its first moment to its end."""

from __future__ import annotations

import re

from kkjupyter.errors import RemoteError
from kkjupyter.notebook.reply import Reply, error_line, joined_text
from kkjupyter.notebook.retention import Limits


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
    assert joined_text(["a", {"b": "é"}, 3, "c", None]) == 'a\n{"b": "é"}\n3\nc\nnull\n'
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
    assert repr(reply) == "<Reply f(): failed, Oops: ␛[31mred>"
