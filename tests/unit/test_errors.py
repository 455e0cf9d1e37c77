"""The error tree: what is what, what each says, and that it survives copying and pickling."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import kkjupyter
from kkjupyter import errors
from kkjupyter.errors import did_you_mean

TREE = {
    "ConnectError": (errors.KKError, ConnectionError),
    "ConnectTimeout": (errors.ConnectError, TimeoutError),
    "ConnectionLost": (errors.KKError, ConnectionError),
    "ProtocolError": (errors.KKError,),
    "MessageTooBig": (errors.ProtocolError,),
    "CallError": (errors.KKError,),
    "RemoteError": (errors.CallError,),
    "RemoteThrow": (errors.RemoteError,),
    "CallTimeout": (errors.CallError, TimeoutError),
    "CallCancelled": (errors.CallError,),
    "ValidationError": (errors.CallError,),
    "EncodeError": (errors.CallError,),
    "BufferOverflow": (errors.CallError,),
    "UsageError": (errors.KKError,),
}

EXAMPLES: list[tuple[errors.KKError, str]] = [
    (errors.ConnectError("ws://x", "refused"), "cannot connect to ws://x: refused"),
    (errors.ConnectTimeout("ws://x", "no answer"), "cannot connect to ws://x: no answer"),
    (errors.ConnectionLost("ws://x", "gone"), "connection to ws://x lost: gone"),
    (
        errors.ConnectionLost("ws://x", "gone", 1),
        "connection to ws://x lost: gone (after 1 item)",
    ),
    (
        errors.ConnectionLost("ws://x", "gone", 1234),
        "connection to ws://x lost: gone (after 1,234 items)",
    ),
    (errors.ProtocolError("malformed", "{x"), "malformed: {x"),
    (errors.ProtocolError("malformed"), "malformed"),
    (
        errors.MessageTooBig(2000, 1000),
        "a message of 2,000 bytes is over the limit of 1,000 bytes",
    ),
    (errors.RemoteError("no", name="TypeError", method="m"), "TypeError: no"),
    (errors.RemoteError("no", stack="at x", data={"code": 1}), "no"),
    (errors.RemoteError("", name="Odd"), "Odd: "),
    (errors.RemoteError("no", name="HttpException", status=403), "HTTP 403: no"),
    (errors.RemoteError("outer", cause=errors.RemoteError("inner", name="Cause")), "outer"),
    (errors.RemoteError("outer", cause={"any": "value"}), "outer"),
    (errors.RemoteThrow({"hello": "World"}, "thrown", method="m"), "thrown"),
    (errors.CallTimeout("m", 1.5), "m: no reply within 1.5 s"),
    (errors.CallTimeout("m", 2, "next item"), "m: no next item within 2 s"),
    (errors.CallCancelled("m"), "m was cancelled"),
    (errors.CallCancelled("m", 41), "m was cancelled after 41 items"),
    (errors.RemoteError("half \ud83d", name="ValueError"), "ValueError: half \ufffd"),
    (errors.RemoteError("\ud83d", status=500), "HTTP 500: \ufffd"),
    (
        errors.ValidationError("m", [{"path": "a", "message": "is no number"}, {"message": "x"}]),
        "m: a: is no number; value: x",
    ),
    (
        errors.EncodeError("args.0.when", "no date", method="m"),
        "m: cannot encode args.0.when: no date",
    ),
    (errors.EncodeError("", "no date"), "cannot encode value: no date"),
    (
        errors.BufferOverflow("m", limit_items=5, limit_bytes=2048),
        "m: more than 5 items or 2,048 bytes arrived unread; read the stream as it comes, "
        "or cancel it",
    ),
    (errors.UsageError("do it so"), "do it so"),
]


def test_the_tree_is_the_one_drawn() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and value.__module__ == errors.__name__
    }
    assert defined == {*TREE, "KKError"}
    assert defined <= set(kkjupyter.__all__)
    for name, parents in TREE.items():
        kind = getattr(errors, name)
        assert all(issubclass(kind, parent) for parent in parents)
        assert name in (errors.__doc__ or "")


@pytest.mark.parametrize(("error", "text"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_what_it_says(error: errors.KKError, text: str) -> None:
    assert str(error).strip() == text.strip()


def fields(error: Any) -> Any:
    if not isinstance(error, errors.KKError):
        return error
    return {name: fields(value) for name, value in vars(error).items()}


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_copies_keep_everything(error: errors.KKError, way: str) -> None:
    """Errors travel between processes (pools, test runners) and are raised anew."""
    match way:
        case "pickle":
            twin = pickle.loads(pickle.dumps(error))
        case "copy":
            twin = copy.copy(error)
        case _:
            twin = copy.deepcopy(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert fields(twin) == fields(error)
    assert repr(twin) == repr(error)
    assert type(twin.__cause__) is type(error.__cause__)


def test_a_method_given_later_is_kept_too() -> None:
    error = errors.RemoteError("no")
    error.method = "math.add"
    assert pickle.loads(pickle.dumps(error)).method == "math.add"


def test_the_cause_is_pythons_too() -> None:
    inner = errors.RemoteError("inner")
    assert errors.RemoteError("outer", cause=inner).__cause__ is inner
    assert errors.RemoteError("outer", cause="a text").__cause__ is None


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("conect", "; did you mean 'connect'?"),
        ("CONNECT", "; did you mean 'connect'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_did_you_mean(word: str, answer: str) -> None:
    assert did_you_mean(word, ["connect", "close", "status"]) == answer
    assert did_you_mean(word, []) == ""


def test_beside_its_stream_an_error_does_not_repeat_what_stands_there() -> None:
    lost = errors.ConnectionLost("ws://x", "the connection broke off\x1b[2J", 93)
    assert errors.brief_line(lost) == "ConnectionLost: the connection broke off"
    assert errors.brief_line(errors.RemoteError("no", name="TypeError")) == "TypeError: no"
