"""``kk.show`` without IPython: in plain Python it prints."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run.registry import registry


def letters() -> Iterator[str]:
    yield from "abc"


async def aletters() -> AsyncIterator[str]:
    for letter in "abc":
        await asyncio.sleep(0)
        yield letter


def test_wait_prints_and_gives_a_reply(capsys: pytest.CaptureFixture[str]) -> None:
    for source in (letters(), aletters()):
        reply = kk.show(source).wait()
        assert (reply.items, reply.status) == (["a", "b", "c"], "done")
        assert capsys.readouterr().out.startswith("abc\n✓ 3 items")


def test_a_list_is_shown_item_by_item(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["a", "b", "c"]
    assert kk.show(words).wait().items == words
    assert capsys.readouterr().out.startswith("abc\n✓ 3 items")
    assert list(kk.show(words)) == words
    assert kk.show([]).wait().items == []


def test_a_plain_loop(capsys: pytest.CaptureFixture[str]) -> None:
    for source in (letters(), aletters()):
        shown = kk.show(source, title="letters")
        assert list(shown) == ["a", "b", "c"]
        assert shown.reply.items == ["a", "b", "c"]
        assert capsys.readouterr().out.startswith("abc\n✓ 3 items")


def test_await_and_async_loops(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        for source in (letters(), aletters()):
            assert (await kk.show(source)).items == ["a", "b", "c"]
        for source in (letters(), aletters()):
            assert [letter async for letter in kk.show(source)] == ["a", "b", "c"]
        shown = kk.show(aletters())
        with pytest.raises(UsageError, match="use `async for`"):
            iter(shown)
        await shown

    asyncio.run(main())


def test_it_is_used_once() -> None:
    shown = kk.show(letters())
    for _ in shown:
        with pytest.raises(UsageError, match="is already shown"):
            shown.wait()
    with pytest.raises(UsageError, match="is already shown"):
        iter(shown)


def test_what_is_over_can_be_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    shown = kk.show(letters())
    first, second = shown.wait(), shown.wait()
    assert first is second
    assert capsys.readouterr().out.count("abc") == 2


def test_never_shown_is_said() -> None:
    with pytest.warns(RuntimeWarning, match=r"kk.show\(letters\(\)\) was never shown"):
        kk.show(letters())


def test_cancel_ends_a_loop_quietly() -> None:
    def endless() -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    shown = kk.show(endless())
    got = []
    for n in shown:
        got.append(n)
        if n == 3:
            shown.cancel()
    assert got == [0, 1, 2, 3]
    assert shown.reply.status == "cancelled"


def test_an_error_is_raised_after_what_came() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("boom")

    loop = iter(kk.show(failing()))
    assert next(loop) == 1
    with pytest.raises(ValueError, match="boom"):
        next(loop)
    with pytest.raises(ValueError, match="boom"):
        kk.show(failing()).wait()


def test_an_unknown_view_claims_nothing() -> None:
    source = letters()
    with pytest.raises(UsageError, match="did you mean 'text'"):
        kk.show(source, view="txt")
    assert list(source) == ["a", "b", "c"]


def test_a_call_is_shown_again_as_a_second_view(capsys: pytest.CaptureFixture[str]) -> None:
    class Api:
        async def letters(self) -> AsyncIterator[str]:
            for letter in "abc":
                yield letter

        def add(self, a: int, b: int) -> int:
            return a + b

    with kk.serve(Api()) as server:
        api = server.connect()
        call = api.letters()
        assert kk.show(call).wait().items == ["a", "b", "c"]
        assert registry.get(call.id) is not None
        capsys.readouterr()
        assert kk.show(call).wait().items == ["a", "b", "c"]
        assert capsys.readouterr().out.startswith("abc")
        assert kk.show(api.add(1, 2)).wait() == 3
        assert capsys.readouterr().out == ""
        with pytest.raises(UsageError, match="is not called yet"):
            kk.show(api.letters)
        kk.close(api)


@pytest.mark.parametrize("limits", [None, 1000])
def test_limits_are_limits(limits: Any) -> None:
    source = letters()
    with pytest.raises(UsageError, match="limits must be Limits"):
        kk.show(source, limits=limits)
    with pytest.raises(UsageError, match="limits must be Limits"):
        kk.compare({"letters": source}, limits=limits)
    assert list(source) == ["a", "b", "c"]


class Bar:
    """As ``tqdm.auto``: it asks for iterators when it is made, and again when it is looped over."""

    def __init__(self, iterable: Any) -> None:
        try:
            self.total = len(iterable)
        except (TypeError, AttributeError):
            self.total = None
        self.next = iterable.__aiter__().__anext__ if hasattr(iterable, "__aiter__") else None
        self.spare = iter(iterable) if hasattr(iterable, "__iter__") else None
        self.iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        yield from self.iterable

    def __aiter__(self) -> Bar:
        return self

    async def __anext__(self) -> Any:
        assert self.next is not None
        return await self.next()


class Letters:
    async def letters(self) -> AsyncIterator[str]:
        for letter in "abc":
            yield letter


@pytest.mark.parametrize("shown", [True, False])
def test_iterators_that_are_asked_for_and_not_used_claim_nothing(shown: bool) -> None:
    with kk.serve(Letters()) as server:
        api = server.connect()
        sources: list[Any] = [api.letters(), api.letters(), api.letters()]
        if shown:
            sources = [kk.show(source) for source in (*sources, letters())]
        for source in sources[1:]:
            bar = Bar(source)
            assert bar.total is None
            assert list(bar) == ["a", "b", "c"]
            with pytest.raises(UsageError, match=r"is already shown|is already being read"):
                iter(source)
            assert bar.spare is not None
            with pytest.raises(UsageError, match=r"is already shown|is already being read"):
                next(bar.spare)

        async def in_a_coroutine() -> list[Any]:
            return [letter async for letter in Bar(sources[0])]

        assert asyncio.run(in_a_coroutine()) == ["a", "b", "c"]


def test_leaving_a_loop_through_a_bar_closes_the_source() -> None:
    closed: list[bool] = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    bar = Bar(kk.show(endless()))  # kept, as bars are
    for _ in bar:
        break
    assert closed == [True]
    del bar


def test_a_loop_that_was_left_is_not_said_to_be_cancelled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed: list[str] = []

    def has_said(line: str) -> bool:
        printed.append(capsys.readouterr().out)
        return line in "".join(printed)

    for number in kk.show(iter(range(9))):
        if number == 2:
            break
    until(lambda: has_said("■ stopped after 3 items"))
    shown = kk.show(iter(range(9)))
    for number in shown:
        if number == 2:
            shown.cancel()
    until(lambda: has_said("■ cancelled after 3 items"))


def test_a_group_of_methods_is_named_as_such() -> None:
    class Math:
        def add(self, a: int, b: int) -> int:
            return a + b

    class Api:
        math = Math()

    with kk.serve(Api()) as server:
        api = server.connect()
        with pytest.raises(UsageError, match=r"math is a group of methods.*\.math\.add"):
            kk.show(api.math)
        with pytest.raises(UsageError, match="is not called yet"):
            kk.show(api.math.add)


def test_what_was_refused_is_not_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    async def main() -> None:
        for way in (lambda shown: shown.wait(), iter):
            with pytest.raises(UsageError, match="runs on this event loop"):
                way(kk.show(aletters()))
        shown = kk.show(aletters())
        with pytest.raises(UsageError, match=r"`\.wait\(\)` would block; write `await kk\.show"):
            shown.wait()
        assert (await shown).items == ["a", "b", "c"]
        again = shown.wait()  # it is over, so nothing is waited for
        assert again.items == ["a", "b", "c"]

    asyncio.run(main())
    assert not [one for one in recwarn if "never shown" in str(one.message)]


async def scoped(ended: list[str]) -> AsyncIterator[int]:
    """Holds a scope of the task that begins to read it, as clients of many protocols do."""
    try:
        async with asyncio.timeout(60):
            for n in range(1000):
                yield n
                await asyncio.sleep(0.01)
    finally:
        ended.append("finally")


@pytest.mark.parametrize("begun", [True, False])
def test_cancel_of_what_the_task_has_begun_to_read_ends_quietly(begun: bool) -> None:
    async def main() -> None:
        ended: list[str] = []
        source = scoped(ended)
        if begun:
            await anext(source)
        shown = kk.show(source)
        asyncio.get_running_loop().call_later(0.2, shown.cancel)
        reply = await shown
        assert reply.status == "cancelled"
        assert reply.count > 1
        assert ended == ["finally"]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0.01)  # nothing of the cancel is left for the task

    asyncio.run(main())


def test_a_cancel_of_the_task_itself_and_a_timeout_are_raised() -> None:
    async def main() -> None:
        ended: list[str] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await kk.show(scoped(ended))
        task = asyncio.create_task(kk.show(scoped(ended))._finished())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["finally"] * 2

    asyncio.run(main())


@pytest.mark.slow
def test_cancels_at_any_moment_leave_the_task_alone() -> None:
    async def endless() -> AsyncIterator[int]:
        while True:
            yield 1
            await asyncio.sleep(0)

    async def main() -> None:
        for turn in range(30):
            shown = kk.show(endless())
            timer = threading.Timer(turn * 0.001, shown.cancel)
            timer.start()
            assert (await shown).status == "cancelled"
            timer.join()
            await asyncio.sleep(0)

    asyncio.run(main())
