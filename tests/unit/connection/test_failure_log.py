"""Which failures are logged, how, and what of a client's text gets into a log."""

from __future__ import annotations

import asyncio
import logging

import pytest

import kkjupyter as kk
from kkjupyter.connection.failure_log import is_for_the_client, log_failure, log_late_failure
from kkjupyter.validation.refusals import ArgumentsError, RPCValidationError
from kkjupyter.vovk import HttpException, Throw


def from_a_call() -> kk.RemoteError:
    error = kk.RemoteError("far away")
    error.method = "far"
    return error


@pytest.mark.parametrize(
    ("exc", "is_for_client"),
    [
        (ValueError("x"), False),
        (TypeError("x"), False),
        (SystemExit(1), False),
        (KeyboardInterrupt(), False),
        (asyncio.CancelledError(), False),
        (kk.UsageError("x"), False),
        (kk.EncodeError("result", "x"), False),
        (kk.CallTimeout("far", 1), False),
        (from_a_call(), False),
        (HttpException(500), False),
        (HttpException(404), True),
        (Throw({"a": 1}), True),
        (kk.RemoteThrow(1, "1"), True),
        (kk.RemoteError("no"), True),
        (ArgumentsError("x"), True),
        (RPCValidationError("input", "f", [{"message": "x"}]), True),
        (RPCValidationError("output", "f", [{"message": "x"}]), False),
    ],
    ids=repr,
)
def test_what_is_meant_for_the_client(
    exc: BaseException, is_for_client: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_for_the_client(exc) is is_for_client
    with caplog.at_level(logging.DEBUG, "kkjupyter.server"):
        log_failure("f", exc)
    (record,) = caplog.records
    assert record.levelno == (logging.INFO if is_for_client else logging.ERROR)
    assert bool(record.exc_info) is not is_for_client


@pytest.mark.parametrize(
    ("exc", "level"),
    [
        (asyncio.CancelledError(), None),
        (GeneratorExit(), None),
        (BaseExceptionGroup("g", [asyncio.CancelledError(), GeneratorExit()]), None),
        (BaseExceptionGroup("g", [asyncio.CancelledError(), ValueError("x")]), logging.ERROR),
        (kk.CallCancelled("far"), logging.DEBUG),
        (kk.ConnectionLost("ws://x", "gone"), logging.DEBUG),
        (ValueError("x"), logging.ERROR),
        (kk.RemoteError("x"), logging.ERROR),
    ],
    ids=repr,
)
def test_what_comes_after_a_cancel(
    exc: BaseException, level: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "kkjupyter.server"):
        log_late_failure("f", exc)
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])


def test_a_client_writes_no_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    class Mute(kk.RemoteError):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    name = "f\nERROR kkjupyter: forged\x1b[2J\u2028" + "x" * 5000
    with caplog.at_level(logging.DEBUG, "kkjupyter.server"):
        log_failure(name, ValueError("x"))
        log_failure(name, kk.RemoteError(name))
        log_failure(name, Mute("x"))
        log_late_failure(name, ValueError("x"))
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 4
    for text in texts:
        assert text.isprintable()
        assert r"f\nERROR kkjupyter: forged\x1b[2J\u2028" in text
        assert len(text) < 1500
    assert "cannot be read: RuntimeError" in texts[2]
