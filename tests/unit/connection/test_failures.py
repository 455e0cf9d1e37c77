"""What a handler raised, on its way to the peer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.connection.failures import encode_failure, remote_error


class PaymentError(Exception):
    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self._secret = "not for peers"
        vars(self).update(fields)


def raised(exc: BaseException) -> BaseException:
    try:
        raise exc
    except BaseException as caught:  # noqa: BLE001  any of them
        return caught


def test_an_error_keeps_name_message_stack_and_own_properties() -> None:
    error = remote_error(
        raised(PaymentError("no money", code="E_POOR", owed=5, name="x")), debug=True
    )
    assert (error.name, error.message) == ("PaymentError", "no money")
    assert error.data == {"code": "E_POOR", "owed": 5}
    assert error.stack is not None
    assert "in raised" in error.stack
    assert error.stack.endswith("PaymentError: no money")
    assert error.cause is None


def test_causes_are_kept_and_rings_end() -> None:
    first, second = ValueError("first"), KeyError("second")
    second.__cause__ = first
    error = remote_error(second)
    assert (error.cause.name, error.cause.message) == ("ValueError", "first")
    first.__cause__ = second
    depth = 0
    cause: Any = remote_error(second)
    while cause is not None:
        cause, depth = cause.cause, depth + 1
    assert depth < 20


def test_a_remote_error_passes_as_it_is() -> None:
    error = kk.RemoteError("from elsewhere", name="TypeError", data={"code": 1})
    assert remote_error(error) is error
    thrown = remote_error(kk.RemoteThrow({"hello": "World"}, "a thrown dict"))
    assert type(thrown) is kk.RemoteError
    assert thrown.message == "a thrown dict"


def test_an_error_whose_text_fails_is_still_told() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    error = remote_error(Mute())
    assert (error.name, error.message) == ("Mute", "(its text cannot be read: RuntimeError)")


@dataclasses.dataclass
class Encoder:
    """Refuses whatever holds one of ``refused``, and says what it took at last."""

    refused: tuple[Any, ...]
    taken: kk.RemoteError | None = None

    def __call__(self, error: kk.RemoteError) -> bytes:
        if any(value in self.refused for value in error.data.values()) or (
            error.cause is not None and error.cause.message in self.refused
        ):
            raise kk.EncodeError("data", "there is no JavaScript value for it")
        self.taken = error
        return b"message"


def test_what_cannot_be_sent_is_left_out() -> None:
    exc = PaymentError("no money", good=1, bad=2)
    exc.__cause__ = ValueError("cause")
    encoder = Encoder(refused=(2,))
    assert encode_failure(encoder, exc) == b"message"
    assert encoder.taken is not None
    assert encoder.taken.data == {"good": 1}
    assert encoder.taken.cause.message == "cause"
    encoder = Encoder(refused=(2, "cause"))
    encode_failure(encoder, exc)
    assert encoder.taken.cause is None
    assert encoder.taken.message == "no money"


def test_something_is_always_returned() -> None:
    def encode(error: kk.RemoteError) -> bytes:
        if not isinstance(error.name, str):
            raise kk.EncodeError("name", "it is not text")
        return error.message.encode()

    error = kk.RemoteError("odd", name=5)  # type: ignore[arg-type]
    assert encode_failure(encode, error) == b"the error cannot be sent"


def test_the_frames_of_the_engine_are_not_shown() -> None:
    def fails() -> None:
        remote_error(None)  # type: ignore[arg-type]

    try:
        fails()
    except AttributeError as exc:
        stack = remote_error(exc, debug=True).stack
    assert stack is not None
    assert "in fails" in stack
    with pytest.raises(AttributeError):
        fails()


def stacks(value: Any, seen: list[Any]) -> list[str]:
    """Every stack in ``value``."""
    if any(value is one for one in seen):
        return []
    seen.append(value)
    if isinstance(value, kk.RemoteError):
        inner = stacks([value.cause, value.data], seen)
        return [*inner, *([value.stack] if value.stack else [])]
    if isinstance(value, dict):
        return stacks(list(value.values()), seen)
    if isinstance(value, list | tuple):
        return [stack for one in value for stack in stacks(one, seen)]
    return []


def nested_error() -> kk.RemoteError:
    inner = kk.RemoteError("inner", stack="of another server", status=404, data={"n": 1})
    error = kk.RemoteError("outer", stack="of this one", cause={"error": [inner]})
    error.data |= {"map": kk.Map(a=inner), "tuple": ({"deep": [inner]},), "number": 5}
    error.data["itself"] = error.data
    inner.cause = inner
    return error


def test_no_stack_is_sent_however_deep_it_lies() -> None:
    error = nested_error()
    assert len(stacks(error, [])) == 2
    sent = remote_error(error)
    assert stacks(sent, []) == []
    assert (sent.message, sent.data["number"]) == ("outer", 5)
    assert sent.data["itself"] is sent.data
    assert type(sent.data["map"]) is kk.Map
    inner = sent.data["map"]["a"]
    assert (inner.message, inner.status, inner.data, inner.cause) == ("inner", 404, {"n": 1}, inner)
    assert inner is sent.data["tuple"][0]["deep"][0]
    assert len(stacks(error, [])) == 2  # whoever raised it may still have it
    assert remote_error(error, debug=True) is error


def test_no_stack_is_sent_among_the_fields_of_an_error_of_ones_own() -> None:
    error = PaymentError("no", errors=[nested_error()], code=7)
    assert stacks(remote_error(error), []) == []
    assert remote_error(error).data["code"] == 7
    assert len(stacks(remote_error(error, debug=True).data, [])) == 2


@pytest.mark.parametrize("kind", [list, tuple])
def test_data_that_is_shared_many_times_or_too_deep_takes_no_time(kind: Any) -> None:
    shared: Any = kk.RemoteError("x", stack="s")
    for _ in range(90):
        shared = kind([shared, shared])
    assert stacks(remote_error(kk.RemoteError("y", data={"a": shared})), []) == []
    for _ in range(5000):
        shared = kind([shared])
    assert stacks(remote_error(kk.RemoteError("y", data={"a": shared})), []) == []
