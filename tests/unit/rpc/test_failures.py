"""What a handler raised, on its way to the peer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.rpc.failures import encode_failure, remote_error


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
