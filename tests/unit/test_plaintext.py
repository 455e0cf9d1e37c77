"""What a terminal would obey is taken out of a peer's text, and what a log would be forged with."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

import kkjupyter as kk
from kkjupyter.plaintext import (
    PlainRecords,
    one_line,
    plain,
    printable,
    readable,
    without_controls,
)
from kkjupyter.validation.refusals import RPCValidationError

HOSTILE = "a\x1b]52;c;cHduZWQ=\x07b\x1b]0;title\x1b\\c\x1b[2Jd\x9b31me\x90q\x08\x7f\u202ef\ud800g"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]2;title\x1b\\after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;clipboard", ""),
        ("\x1b]52;c;clip\x1b[31mboard\x07", "52;c;clipboard"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("\x1b_application\x1b\\\x1b^private\x1b\\\x1bXstring\x1b\\", ""),
        ("over\rwritten\x08\x07", "overwritten"),
        ("a line\r\nand one", "a line\nand one"),
        ("\x9b31mred", "31mred"),
        ("\x9d52;c;clipboard\x9c", "52;c;clipboard"),
        ("\x1b", ""),
        ("\x1b\x00]52;c;x", "]52;c;x"),
        ("\x1b\x1b]52;c;x\x07y", "y"),
        ("\x1b(Bx\x1bcy", "xy"),
        ("é😀", "é😀"),
    ],
)
def test_control_sequences_are_stripped(text: str, bare: str) -> None:
    assert without_controls(text) == bare
    assert "\x1b" not in without_controls(text, keep_returns=True)


def test_colours_can_be_kept() -> None:
    text = "\x1b[1;31mred\x1b[0m \x1b[2J\x1b]0;title\x07\x08end"
    assert without_controls(text, keep_colours=True) == "\x1b[1;31mred\x1b[0m end"


def test_a_sequence_that_is_cut_in_two_is_none() -> None:
    text = "\x1b]52;c;clipboard\x07"
    for at in range(len(text)):
        joined = without_controls(text[:at]) + without_controls(text[at:])
        assert joined.isprintable()


def test_what_is_no_value_has_one_direction_and_whole_characters() -> None:
    assert plain("a\u202eb\u2066c\u2069d\ud83d\ude00\ud83d") == "abcd😀\ufffd"
    assert plain("שלום \u200fعليكم\u200e") == "שלום \u200fعليكم\u200e"
    assert without_controls("\u2067שלום\u2069") == "\u2067שלום\u2069"  # a value keeps them


def test_each_kind_shows_what_it_does_not_keep() -> None:
    assert one_line("a\nb\x1b[1m\u202e") == r"a\nb\x1b[1m\u202e"
    assert printable("a\nb\x1b\x9b") == "a\nb␛\ufffd"
    assert readable("a\nb\x1b\u202e") == "a\nb\ufffd\ufffd"
    assert readable("a\nb\x1b\u202e", keep_lines=False) == "a\ufffdb\ufffd\ufffd"


def _errors() -> list[kk.KKError]:
    return [
        kk.KKError(HOSTILE),
        kk.ConnectError("ws://host", HOSTILE),
        kk.ConnectionLost("ws://host", HOSTILE),
        kk.ProtocolError("no message", HOSTILE),
        kk.CallTimeout(HOSTILE, 1),
        kk.CallCancelled(HOSTILE),
        kk.ValidationError(HOSTILE, [{"path": HOSTILE, "message": HOSTILE}]),
        kk.EncodeError(HOSTILE, HOSTILE, method=HOSTILE),
        kk.BufferOverflow(HOSTILE, limit_items=1),
        kk.UsageError(HOSTILE),
        kk.RemoteError(HOSTILE, name=HOSTILE),
        kk.RemoteError(HOSTILE, status=500),
        kk.RemoteThrow(HOSTILE, HOSTILE),
        RPCValidationError("input", HOSTILE, [{"message": HOSTILE}]),
    ]


@pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)
def test_no_error_has_controls_in_its_text(error: kk.KKError) -> None:
    for twin in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert str(twin).isprintable()
        assert repr(twin).isprintable()
        assert "abcd" in str(twin)
    # Causes, contexts, notes and groups, as Python itself prints them.
    error.add_note("a note")
    above = kk.RemoteError("above", cause=error)
    group = ExceptionGroup("all of them", [above, error])
    shown = "".join(traceback.format_exception(group))
    assert shown.replace("\n", "").isprintable()
    assert "a note" in shown


def test_the_fields_of_an_error_hold_what_came() -> None:
    error = kk.RemoteError(HOSTILE, name=HOSTILE, stack=HOSTILE, data={"own": HOSTILE})
    assert error.message == error.name == error.stack == error.data["own"] == HOSTILE


def _record(msg: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("kkjupyter", logging.ERROR, "f.py", 1, msg, args, info)


def test_a_record_of_a_log_is_one_line_and_a_plain_traceback() -> None:
    record = _record("%s failed", "f\nERROR forged\x1b]0;t\x07", error=ValueError(HOSTILE))
    assert PlainRecords().filter(record)
    text = logging.Formatter().format(record)
    assert text.splitlines()[0] == r"f\nERROR forged\x1b]0;t\x07 failed"
    assert text.replace("\n", "").isprintable()


def test_a_formatter_of_the_user_s_has_its_say_where_nothing_is_hostile() -> None:
    record = _record("%s failed", "f", error=ValueError("no"))
    PlainRecords().filter(record)
    assert record.exc_text is None
    assert record.getMessage() == "f failed"


def test_every_error_of_ours_makes_its_text_where_it_is_cleaned() -> None:
    waiting: list[type[kk.KKError]] = [kk.KKError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        is_ours = kind.__module__.startswith("kkjupyter.") and kind is not kk.KKError
        assert not (is_ours and "__str__" in vars(kind)), f"{kind.__name__}: write _text instead"
