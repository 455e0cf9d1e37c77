"""Filters and handlers of the user's that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.runtime.logs import LineLimit, SafeLogger
from kkjupyter.runtime.loop_threads import handler_loop


class Broken(logging.Handler):
    def handle(self, record: logging.LogRecord) -> bool:
        raise OSError(f"no space left for {record.getMessage()}")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was told to who looks at the terminal, while logging is broken."""
    told: list[str] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, exc, trace: told.append(str(exc)))
    handler, logger = Broken(), logging.getLogger("kkjupyter")
    logger.addHandler(handler)
    yield told
    logger.removeHandler(handler)


class Failing:
    async def call(self) -> None:
        raise ValueError("in a call")

    def plain(self) -> None:
        raise ValueError("in a plain function")

    async def told(self) -> None:
        raise kk.RemoteError("not so")

    async def stream(self) -> Any:
        yield 1
        raise ValueError("in a stream")

    def generator(self) -> Any:
        yield 1
        raise ValueError("in a generator")

    async def callback(self, fn: Callable[[int], object]) -> int:
        fn(1)
        return 1


class FailingController(vovk.Controller, prefix="failing"):
    @vovk.get("call")
    async def call(self) -> int:
        raise ValueError("in a call")

    @vovk.get("stream")
    async def stream(self) -> Any:
        yield 1
        raise ValueError("in a stream")


@pytest.mark.parametrize("protocol", ["classic", "compact"])
def test_a_log_that_cannot_be_written_keeps_no_client_waiting(
    protocol: str, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("kkjupyter.server"), "level", logging.INFO)
    with serve_in_memory(Failing()) as server, server.connect(protocol=protocol) as api:
        for name in ("call", "plain", "told"):
            with pytest.raises(kk.RemoteError):
                getattr(api, name)().result(timeout_s=10)
        for name in ("stream", "generator"):
            with pytest.raises(kk.RemoteError):
                list(kk.call(getattr(api, name), idle_timeout_s=10))
        assert api.callback(lambda n: 1 / 0).result(timeout_s=10) == 1
    texts = " ".join(shown)
    for name in ("call failed", "plain failed", "told: ref", "stream failed", "generator failed"):
        assert f"no space left for {name}" in texts


def test_nor_a_client_of_vovk(shown: list[str]) -> None:
    with vovk.serve([FailingController], token=False) as server, server.connect() as api:
        with pytest.raises(kk.RemoteError):
            api.FailingController.call().result(timeout_s=10)
        with pytest.raises(kk.RemoteError):
            list(kk.call(api.FailingController.stream, idle_timeout_s=10))
    assert len(shown) == 2


def test_nor_does_it_end_a_loop_that_all_share(shown: list[str]) -> None:
    def end() -> None:
        raise SystemExit

    handler_loop().loop.call_soon_threadsafe(end)
    handler_loop().post(end)
    handler_loop().flush(timeout_s=10)
    handler_loop().flush(timeout_s=10)
    assert len(shown) == 2


def test_a_record_says_where_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    logger = SafeLogger("kkjupyter.tested")
    logger.error("one", extra={"mark": 5})
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("two")
    first, second = caplog.records
    here = test_a_record_says_where_it_was_written.__name__
    assert (first.filename, first.funcName) == ("test_logs.py", here)
    assert first.mark == 5  # type: ignore[attr-defined]
    assert second.exc_info is not None


def records_of(logger: logging.Logger) -> list[str]:
    texts: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.propagate = False
    return texts


@pytest.mark.slow
def test_lines_of_a_kind_are_bounded_and_the_rest_is_counted() -> None:
    logger = logging.getLogger("kkjupyter.test.lines")
    logger.addFilter(LineLimit(logger, lines_per_s=3, lines_per_s_in_all=100))
    texts = records_of(logger)
    for number in range(1000):
        logger.warning("%s has number %s", "it", number)
    logger.warning("another kind")
    assert texts == [
        *(f"it has number {number}" for number in range(3)),
        "another kind",
    ]
    until(lambda: len(texts) > 4)  # also when nothing more is logged
    assert texts[4] == "and 997 more, within a second"
    logger.warning("%s has number %s", "it", 1000)
    assert texts[5:] == ["it has number 1000"]


@pytest.mark.slow
def test_peers_are_counted_apart_and_all_together() -> None:
    logger = logging.getLogger("kkjupyter.test.peers")
    logger.addFilter(LineLimit(logger, lines_per_s=2, lines_per_s_in_all=5))
    texts = records_of(logger)
    for peer in "abc":
        for _ in range(3):
            logger.warning("from %s", peer)
    assert texts == ["from a", "from a", "from b", "from b", "from c"]
    until(lambda: len(texts) > 5)
    assert texts[5] == "and 4 more, within a second"
