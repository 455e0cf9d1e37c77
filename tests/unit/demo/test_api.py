"""The demo endpoint, as the plain Python object it is."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from kkjupyter.demo import make_api
from kkjupyter.demo.api import DemoApi


@pytest.fixture
def api() -> DemoApi:
    return make_api()


def closing(stream: AsyncIterator[Any]) -> aclosing[AsyncGenerator[Any, None]]:
    return aclosing(cast(AsyncGenerator[Any, None], stream))


def collect(stream: AsyncIterator[Any], count: int | None = None) -> list[Any]:
    async def read() -> list[Any]:
        items: list[Any] = []
        async with closing(stream) as opened:
            async for item in opened:
                items.append(item)
                if len(items) == count:
                    break
        return items

    return asyncio.run(read())


def test_the_public_names(api: DemoApi) -> None:
    assert {name for name in dir(api) if not name.startswith("_")} == {
        *("add", "math", "countdown", "data", "failingStream", "watchFiles", "openWatchers"),
        *("ticks", "rows", "settings", "onProgress", "Counter", "chat"),
    }


def test_values(api: DemoApi) -> None:
    assert api.add(40, 2) == 42
    assert api.math.add(1, 2) == 3


def test_countdown_includes_zero(api: DemoApi) -> None:
    assert collect(api.countdown(5, pause_s=0)) == [5, 4, 3, 2, 1, 0]
    assert collect(api.countdown(-1, pause_s=0)) == []


def test_items_of_a_nested_stream(api: DemoApi) -> None:
    assert collect(api.data.stream(3, pause_s=0)) == ["item-0", "item-1", "item-2"]


def test_ticks_never_end_by_themselves(api: DemoApi) -> None:
    assert collect(api.ticks(pause_s=0), 1000) == list(range(1000))


def test_rows_have_the_same_columns(api: DemoApi) -> None:
    rows = collect(api.rows(7, pause_s=0))
    assert len(rows) == 7
    assert {tuple(row) for row in rows} == {("minute", "place", "celsius")}
    assert [row["minute"] for row in rows] == list(range(7))
    assert rows[0] == {"minute": 0, "place": "kitchen", "celsius": 21.0}


def test_failing_stream_gives_two_values_first(api: DemoApi) -> None:
    seen: list[int] = []

    async def read() -> None:
        async for number in api.failingStream():
            seen.append(number)

    with pytest.raises(RuntimeError, match=r"^something went wrong$"):
        asyncio.run(read())
    assert seen == [1, 2]


def test_watcher_reports_changes_and_closes_when_the_reader_stops(
    api: DemoApi, tmp_path: Path
) -> None:
    async def first_change() -> dict[str, str]:
        async with closing(api.watchFiles(str(tmp_path))) as changes:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)  # its first step opens the watcher
            assert api.openWatchers() == 1
            (tmp_path / "notes.txt").write_text("hello")
            return await asyncio.wait_for(waiting, timeout=10)

    assert asyncio.run(first_change()) == {"change": "added", "path": "notes.txt"}
    assert api.openWatchers() == 0


def test_cancelling_a_watcher_that_waits_closes_it_at_once(api: DemoApi, tmp_path: Path) -> None:
    async def cancel_while_waiting() -> float:
        waiting = asyncio.ensure_future(anext(api.watchFiles(str(tmp_path))))
        await asyncio.sleep(0.1)
        assert api.openWatchers() == 1
        started_s = time.monotonic()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert api.openWatchers() == 0
        return time.monotonic() - started_s

    assert asyncio.run(cancel_while_waiting()) < 1  # about 0.002 s, on a quiet machine


def test_watching_one_file(api: DemoApi, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("one")

    async def first_change() -> dict[str, str]:
        async with closing(api.watchFiles(str(file))) as changes:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            file.write_text("two")
            return await asyncio.wait_for(waiting, timeout=10)

    assert asyncio.run(first_change()) == {"change": "modified", "path": "notes.txt"}


def test_watching_nothing_is_an_error_and_leaves_no_watcher(api: DemoApi, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        collect(api.watchFiles(str(tmp_path / "missing")))
    assert api.openWatchers() == 0


def test_progress_calls_back(api: DemoApi) -> None:
    calls: list[tuple[int, int]] = []

    def callback(step: int, count: int) -> None:
        calls.append((step, count))

    assert asyncio.run(api.onProgress(3, callback, pause_s=0)) == "done"
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_settings_and_counters_belong_to_one_api(api: DemoApi) -> None:
    api.settings.theme = "dark"
    assert asdict(api.settings) == {"theme": "dark", "language": "en", "fontSize": 14}
    assert make_api().settings.theme == "light"
    assert vars(api.Counter(10)) == {"count": 10, "step": 1}


def test_chat_streams_tokens(api: DemoApi) -> None:
    tokens = collect(api.chat("Tell me a story", pause_s=0))
    assert len(tokens) > 20
    assert all(isinstance(token, str) and token for token in tokens)
    assert tokens == collect(api.chat("Tell me a story", pause_s=0))


def test_chat_refuses_a_model_it_has_not(api: DemoApi) -> None:
    with pytest.raises(ValueError, match="'gpt-9'; this endpoint has 'toy'"):
        collect(api.chat("Hi", model="gpt-9"))
