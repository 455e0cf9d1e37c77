"""The semantics of a Call, over every transport in each protocol and codec."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import time
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import PATIENCE_S, auntil, until

import kkjupyter as kk
from kkjupyter.runtime.loop_threads import io_loop

# ---- values


def test_a_call_is_sent_when_it_is_made(api: Any, endpoint: Endpoint) -> None:
    call = api.add(1, 2)
    until(lambda: endpoint.calls == ["add"])
    assert call.result() == 3


def test_a_value_in_plain_code_and_awaited(api: Any) -> None:
    assert api.add(40, 2).result() == 42

    async def main() -> None:
        assert await api.add(40, 2) == 42

    asyncio.run(main())


def test_a_value_can_be_had_again(api: Any) -> None:
    call = api.add(1, 2)
    assert [call.result(), call.result()] == [3, 3]
    assert call.state == "done"


def test_what_a_call_says_of_itself(api: Any) -> None:
    call = api.data.stream(3)
    assert call.method == "data.stream"
    assert call.title == "data.stream(3)"
    assert repr(call) == f"<Call {call.id} data.stream(3): {call.state}>"
    assert api.add(1, 2).id > call.id
    assert call.result() == ["item-0", "item-1", "item-2"]


def test_a_list_is_a_value_not_a_stream(api: Any) -> None:
    assert api.echo([1, 2, 3]).result() == [1, 2, 3]


def test_none_and_undefined_are_told_apart(api: Any) -> None:
    assert api.nothing().result() is None
    assert api.undefined().result() is kk.undefined


def test_keyword_arguments_reach_keyword_only_parameters(api: Any) -> None:
    assert api.options(2, scale=10, shift=1).result() == 21
    assert api.options(2, {"scale": 10}).result() == 20  # as JavaScript writes it
    with pytest.raises(kk.RemoteError, match="unexpected keyword argument 'unknown'"):
        api.options(2, unknown=1).result()
    with pytest.raises(kk.RemoteError, match="positional"):
        api.options(2, {"unknown": 1}).result()


def test_properties(api: Any, endpoint: Endpoint) -> None:
    assert kk.get(api.settings.theme) == "light"
    api.settings.theme = "dark"
    assert endpoint.settings.theme == "dark"
    kk.set(api.settings.theme, "blue")
    assert kk.get(api.settings.theme) == "blue"

    async def main() -> None:
        await kk.aset(api.settings.theme, "green")
        assert await api.settings.theme == "green"

    asyncio.run(main())


def test_an_instance_comes_by_value_without_what_is_private(api: Any) -> None:
    assert kk.new(api.Point, 1, 2).result() == {"x": 1, "y": 2}


def test_many_calls_at_once_each_get_their_own_answer(api: Any) -> None:
    async def main() -> None:
        answers = await asyncio.gather(*(api.add(number, 1000) for number in range(300)))
        assert answers == [number + 1000 for number in range(300)]

    asyncio.run(main())


def test_calls_from_many_threads(api: Any) -> None:
    wrong: list[Any] = []

    def work(offset: int) -> None:
        wrong.extend(n for n in range(50) if api.add(n, offset).result() != n + offset)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


# ---- streams


def test_a_stream_in_plain_code(api: Any) -> None:
    assert list(api.countdown(5)) == [5, 4, 3, 2, 1, 0]
    assert api.countdown(3).result() == [3, 2, 1, 0]


def test_a_stream_awaited_first_and_not(api: Any) -> None:
    async def main() -> None:
        assert [n async for n in api.countdown(2)] == [2, 1, 0]
        assert [n async for n in await api.countdown(2)] == [2, 1, 0]
        opened = await api.countdown(2)
        assert opened.state in ("streaming", "done")
        assert [n async for n in opened] == [2, 1, 0]

    asyncio.run(main())


def test_two_streams_at_once(api: Any) -> None:
    async def read(call: Any) -> list[int]:
        return [n async for n in call]

    async def main() -> None:
        five, three = await asyncio.gather(api.countdown(5), api.countdown(3))
        assert await asyncio.gather(read(five), read(three)) == [
            [5, 4, 3, 2, 1, 0],
            [3, 2, 1, 0],
        ]

    asyncio.run(main())


@pytest.mark.half
def test_a_long_stream_is_complete_and_in_order(api: Any) -> None:
    assert list(api.items(20_000)) == list(range(20_000))
    assert api.items(20_000).result(timeout_s=30) == list(range(20_000))


def test_a_second_loop_is_a_usage_error(api: Any) -> None:
    call = api.ticks(0.01)
    for _ in call:
        with pytest.raises(kk.UsageError, match="already being read"):
            iter(call)
        with pytest.raises(kk.UsageError, match="already being read"):
            aiter(call)
        with pytest.raises(kk.UsageError, match="already being read"):
            call.consume()
        break
    with pytest.raises(kk.UsageError, match="second stream"):
        iter(call)


def test_a_loop_over_a_value_is_a_usage_error_and_the_value_is_not_lost(api: Any) -> None:
    call = api.add(1, 2)
    with pytest.raises(kk.UsageError, match="returned a value"):
        list(call)
    assert call.result() == 3

    async def main() -> None:
        with pytest.raises(kk.UsageError, match="returned a value"):
            async for _ in api.add(1, 2):
                pass

    asyncio.run(main())


def test_a_call_is_neither_true_nor_false(api: Any) -> None:
    with pytest.raises(kk.UsageError, match="not its value"):
        bool(api.add(1, 2))


def test_what_came_before_an_error_is_delivered(api: Any) -> None:
    got: list[int] = []
    with pytest.raises(kk.RemoteError, match="something went wrong") as caught:
        got.extend(api.failing_stream())
    assert got == [1, 2]
    assert caught.value.name == "RuntimeError"
    assert caught.value.method == "failing_stream"


def test_an_error_ends_a_loop_once(api: Any) -> None:
    loop = iter(api.failing_stream())
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(kk.RemoteError):
        next(loop)
    with pytest.raises(StopIteration):
        next(loop)


# ---- leaving a loop


class Stop(Exception):
    pass


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("method", ["once_then_wait", "ticks", "tight"])
def test_leaving_a_loop_ends_the_producer_at_once(
    api: Any, endpoint: Endpoint, kind: str, method: str
) -> None:
    """While it waits between two values just as while it yields; also when the Call lives on."""
    call = getattr(api, method)()

    async def leave() -> None:
        async for _ in call:
            break

    if kind == "plain":
        for _ in call:
            break
    else:
        asyncio.run(leave())
    until(lambda: endpoint.finals == [method])
    assert call.state == "cancelled"


@pytest.mark.only("memory")
@pytest.mark.parametrize("kept", ["variable", "dict", "nowhere"])
@pytest.mark.parametrize("way", ["break", "return", "exception"])
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("method", ["once_then_wait", "ticks", "tight"])
def test_leaving_a_loop_in_any_way_ends_the_producer_at_once(
    api: Any, endpoint: Endpoint, kept: str, way: str, kind: str, method: str
) -> None:
    call = getattr(api, method)()
    out = {1: call} if kept == "dict" else {}
    held = call if kept == "variable" else None

    def leave(call: Any) -> None:
        for _ in call:
            if way == "break":
                break
            if way == "return":
                return
            raise Stop

    async def leave_async(call: Any) -> None:
        async for _ in call:
            if way == "break":
                break
            if way == "return":
                return
            raise Stop

    calls = [call]
    del call
    try:
        if kind == "plain":
            leave(calls.pop())
        else:
            asyncio.run(leave_async(calls.pop()))
    except Stop:
        assert way == "exception"
    until(lambda: endpoint.finals == [method])
    if kept != "nowhere":
        assert (out[1] if held is None else held).state == "cancelled"


def test_a_sync_producer_is_ended_at_its_next_value(api: Any, endpoint: Endpoint) -> None:
    for _ in api.sync_ticks():
        break
    until(lambda: endpoint.finals == ["sync_ticks"])


# ---- cancelling


@pytest.mark.parametrize("method", ["once_then_wait", "slow"])
def test_cancel_from_another_thread_wakes_result(api: Any, endpoint: Endpoint, method: str) -> None:
    call = getattr(api, method)()

    def cancel() -> None:  # compact: a generator begins when somebody reads it
        until(lambda: endpoint.calls == [method])
        call.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    started_s = time.monotonic()
    with pytest.raises(kk.CallCancelled) as caught:
        call.result()
    assert time.monotonic() - started_s < PATIENCE_S
    thread.join()
    assert caught.value.method == method
    until(lambda: endpoint.finals == [method])


def test_cancel_from_another_thread_wakes_for(api: Any, endpoint: Endpoint) -> None:
    call = api.once_then_wait()
    got: list[str] = []
    threading.Thread(target=lambda: (until(lambda: got), call.cancel())).start()
    with pytest.raises(kk.CallCancelled) as caught:
        got.extend(call)
    assert got == ["first"]
    assert caught.value.items_received == 1
    until(lambda: endpoint.finals == ["once_then_wait"])


def test_cancel_from_another_thread_wakes_await_and_async_for(api: Any, endpoint: Endpoint) -> None:
    async def main() -> None:
        unary, stream = api.slow(), api.once_then_wait()
        loop = aiter(stream)
        assert await anext(loop) == "first"
        await auntil(lambda: sorted(endpoint.calls) == ["once_then_wait", "slow"])
        threading.Timer(0.05, unary.cancel).start()
        with pytest.raises(kk.CallCancelled):
            await unary
        threading.Timer(0.05, stream.cancel).start()
        with pytest.raises(kk.CallCancelled):
            await anext(loop)

    asyncio.run(main())
    until(lambda: sorted(endpoint.finals) == ["once_then_wait", "slow"])


def test_cancel_is_idempotent_and_after_the_end_it_does_nothing(
    api: Any, endpoint: Endpoint
) -> None:
    call = api.ticks()
    for _ in range(3):
        call.cancel()
    assert call.state == "cancelled"
    done = api.add(1, 2)
    assert done.result() == 3
    done.cancel()
    assert (done.state, done.result()) == ("done", 3)
    assert api.add(1, 1).result() == 2


def test_no_value_after_cancel(api: Any) -> None:
    call = api.items(1000)
    loop = iter(call)
    assert next(loop) == 0
    until(lambda: call.state == "done" or len(call._state.buffer) > 10)
    call.cancel()
    if call.state == "cancelled":
        with pytest.raises(kk.CallCancelled):
            next(loop)
        with pytest.raises(StopIteration):
            next(loop)


def test_a_stream_cancelled_with_values_in_the_buffer_gives_none_of_them(api: Any) -> None:
    call = api.ticks()
    loop = iter(call)
    assert next(loop) == 0
    until(lambda: len(call._state.buffer) > 10)
    call.cancel()
    with pytest.raises(kk.CallCancelled):
        next(loop)


def test_the_late_handle_of_a_cancelled_call_is_returned(api: Any, endpoint: Endpoint) -> None:
    """The answer is on its way while the call is cancelled: the producer must hear of it."""
    for _ in range(20):
        api.once_then_wait().cancel()
    assert api.add(1, 2).result() == 3
    until(lambda: api._kk_session.calls == [])
    # Those that were never begun have no finally; none of the others may go on.
    started = endpoint.finals.count("once_then_wait")
    time.sleep(0.05)
    assert endpoint.finals.count("once_then_wait") == started


def test_with_cancels_at_its_end(api: Any, endpoint: Endpoint) -> None:
    with api.once_then_wait() as call:
        assert next(iter(call)) == "first"
    assert call.state == "cancelled"
    until(lambda: endpoint.finals == ["once_then_wait"])

    async def main() -> None:
        async with api.ticks(0.01) as call:
            await call
            assert await anext(aiter(call)) == 0
        assert call.state == "cancelled"

    asyncio.run(main())
    until(lambda: endpoint.finals == ["once_then_wait", "ticks"])


def test_wait_for_cancels_the_call(api: Any, endpoint: Endpoint) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(api.slow(), 0.1)
        await auntil(lambda: endpoint.finals == ["slow"])

    asyncio.run(main())


def test_cancelling_a_task_in_async_for_ends_the_producer(api: Any, endpoint: Endpoint) -> None:
    async def read() -> None:
        async for _ in api.once_then_wait():
            pass

    async def main() -> None:
        task = asyncio.create_task(read())
        await auntil(lambda: endpoint.calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await auntil(lambda: endpoint.finals == ["once_then_wait"])

    asyncio.run(main())


def test_one_failure_in_a_gather_reaches_the_caller(api: Any) -> None:
    async def main() -> None:
        with pytest.raises(kk.RemoteError, match="something went wrong"):
            await asyncio.gather(api.add(1, 2), api.fails())

    asyncio.run(main())


# ---- time limits


def test_timeout_s_fails_the_call_and_tells_the_peer(api: Any, endpoint: Endpoint) -> None:
    started_s = time.monotonic()
    with pytest.raises(kk.CallTimeout, match=r"slow: no reply within 0\.1 s") as caught:
        kk.call(api.slow, timeout_s=0.1).result()
    assert time.monotonic() - started_s < PATIENCE_S
    assert isinstance(caught.value, TimeoutError)
    until(lambda: endpoint.finals == ["slow"])


@pytest.mark.half
def test_timeout_s_runs_until_the_reply_only(api: Any) -> None:
    call = kk.call(api.ticks, 0.05, timeout_s=0.2)
    for number in call:
        if number == 10:
            break
    assert number == 10


@pytest.mark.half
def test_idle_timeout_s_runs_between_items(api: Any, endpoint: Endpoint) -> None:
    got: list[str] = []
    with pytest.raises(kk.CallTimeout, match=r"no next item within 0\.1 s"):
        got.extend(kk.call(api.once_then_wait, idle_timeout_s=0.1))
    assert got == ["first"]
    until(lambda: endpoint.finals == ["once_then_wait"])
    # Not before there is a stream.
    assert kk.call(api.slow, 0.2, idle_timeout_s=0.05).result() == "done"
    assert list(kk.call(api.late_stream, idle_timeout_s=0.1)) == [1, 0]


@pytest.mark.half
def test_idle_timeout_s_in_an_async_loop_and_in_a_view(api: Any, endpoint: Endpoint) -> None:
    async def main() -> None:
        with pytest.raises(kk.CallTimeout):
            async for _ in kk.call(api.once_then_wait, idle_timeout_s=0.1):
                pass

    asyncio.run(main())
    consumer = kk.call(api.once_then_wait, idle_timeout_s=0.1).consume()
    values: list[Any] = []
    ready = threading.Event()
    while not consumer.finished:
        ready.clear()
        consumer.on_ready(ready.set)
        assert ready.wait(PATIENCE_S)
        values += consumer.take()
    assert values == ["first"]
    assert isinstance(consumer.error, kk.CallTimeout)
    until(lambda: len(endpoint.finals) == 2)


@pytest.mark.half
def test_result_with_a_time_limit(api: Any, endpoint: Endpoint) -> None:
    with pytest.raises(kk.CallTimeout, match="no reply"):
        api.slow().result(timeout_s=0.1)
    started_s = time.monotonic()
    with pytest.raises(kk.CallTimeout, match="no end"):
        api.ticks(0.01).result(timeout_s=0.2)
    assert time.monotonic() - started_s < PATIENCE_S
    until(lambda: sorted(endpoint.finals) == ["slow", "ticks"])


@pytest.mark.half
def test_callbacks_do_not_extend_a_time_limit(api: Any) -> None:
    started_s = time.monotonic()
    with pytest.raises(kk.CallTimeout):
        api.progress(10_000, lambda n, count: time.sleep(0.01)).result(timeout_s=0.2)
    assert time.monotonic() - started_s < PATIENCE_S


@pytest.mark.half
def test_limits_of_the_connection_hold_for_its_calls(server: Any, spoken: dict[str, str]) -> None:
    with server.connect(**spoken, timeout_s=0.1) as api:
        with pytest.raises(kk.CallTimeout):
            api.slow().result()
        assert kk.call(api.slow, 0.2, timeout_s=5).result() == "done"


# ---- what nobody wants


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "kkjupyter"]


def test_a_dropped_unread_stream_is_returned_with_one_warning(
    api: Any, server: Any, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    api.once_then_wait()
    gc.collect()
    until(lambda: warnings_of(caplog) and server.running == 0)
    until(lambda: endpoint.finals == endpoint.calls)  # compact: it never began
    time.sleep(0.05)
    assert warnings_of(caplog) == ["once_then_wait(): stream dropped unread"]


def test_an_opened_stream_that_is_dropped_is_returned(
    api: Any, server: Any, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        await api.once_then_wait()  # the Call, and nobody takes it

    asyncio.run(main())
    gc.collect()
    until(lambda: warnings_of(caplog) and server.running == 0)
    assert warnings_of(caplog) == ["once_then_wait(): stream dropped unread"]
    until(lambda: endpoint.finals == endpoint.calls)


def test_a_failure_nobody_looked_at_is_reported_once(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api.fails("unseen\x1b[31m")
    gc.collect()
    until(lambda: warnings_of(caplog))
    time.sleep(0.05)
    (text,) = warnings_of(caplog)
    assert "fails('unseen\\x1b[31m') failed, and its result was never retrieved: " in text
    assert text.endswith("ValueError: unseen")


def test_a_failure_that_was_seen_is_not_reported(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(kk.RemoteError):
        api.fails().result()
    with pytest.raises(kk.RemoteError):
        list(api.failing_stream())  # the Call is collected before its loop ends
    consumer = api.failing_stream().consume()
    gc.collect()
    until(lambda: (consumer.take(), consumer.finished)[1])
    assert isinstance(consumer.error, kk.RemoteError)
    gc.collect()
    io_loop().flush(1)
    assert warnings_of(caplog) == []


@pytest.mark.half
def test_a_collected_unary_call_is_not_stopped(
    api: Any, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    api.slow(0.1)
    gc.collect()
    until(lambda: endpoint.calls == ["slow"])
    time.sleep(0.2)
    assert endpoint.finals == ["slow"]
    assert warnings_of(caplog) == []


def test_a_consumer_that_is_dropped_ends_the_stream(api: Any, endpoint: Endpoint) -> None:
    consumers = [api.ticks(0.001).consume()]
    until(lambda: consumers[0].take())
    consumers.clear()
    until(lambda: endpoint.finals == ["ticks"])


# ---- consumers


def test_a_consumer_is_told_and_takes_without_waiting(api: Any) -> None:
    consumer = api.countdown(5).consume()
    values: list[int] = []
    ready = threading.Event()
    while not consumer.finished:
        ready.clear()
        consumer.on_ready(ready.set)
        assert ready.wait(PATIENCE_S)
        values += consumer.take(2)
    assert values == [5, 4, 3, 2, 1, 0]
    assert (consumer.kind, consumer.error, consumer.value) == ("stream", None, kk.undefined)


def test_a_consumer_of_a_value(api: Any) -> None:
    consumer = api.add(1, 2).consume()
    until(lambda: consumer.finished)
    assert (consumer.kind, consumer.value, consumer.take()) == ("unary", 3, [])


def test_a_cancelled_consumer_finishes_whatever_arrives(api: Any) -> None:
    consumers = [api.ticks().consume() for _ in range(10)]
    for consumer in consumers:
        until(lambda consumer=consumer: consumer.take(1))
        consumer.cancel()
        assert consumer.finished
    time.sleep(0.05)
    for consumer in consumers:
        assert consumer.finished
        assert consumer.take() == []
        assert isinstance(consumer.error, kk.CallCancelled)


def test_a_failing_on_ready_harms_nobody(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("in on_ready")

    consumer = api.slow(0.05).consume()
    consumer.on_ready(fail)
    until(lambda: consumer.finished)
    assert api.add(1, 2).result() == 3
    until(lambda: "waking a waiter failed" in warnings_of(caplog))


# ---- callbacks

cell: contextvars.ContextVar[str] = contextvars.ContextVar("cell", default="nowhere")


def test_callbacks_run_in_the_waiting_thread_in_order_before_the_reply(api: Any) -> None:
    seen: list[tuple[int, str, str]] = []
    cell.set("this cell")

    def progress(number: int, count: int) -> None:
        seen.append((number, cell.get(), threading.current_thread().name))

    assert api.progress(50, progress).result() == "done"
    assert seen == [(n, "this cell", threading.current_thread().name) for n in range(50)]


def test_callbacks_run_on_the_waiting_loop_also_when_they_are_async(api: Any) -> None:
    seen: list[tuple[int, str, bool]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        cell.set("an async cell")

        async def progress(number: int, count: int) -> None:
            await asyncio.sleep(0.001)
            seen.append((number, cell.get(), asyncio.get_running_loop() is loop))

        assert await api.progress(20, progress) == "done"

    asyncio.run(main())
    assert seen == [(n, "an async cell", True) for n in range(20)]


def test_async_callbacks_of_a_plain_wait(api: Any) -> None:
    """With a loop in this thread, as in a cell, and without one."""
    seen: list[tuple[int, str]] = []

    async def progress(number: int, count: int) -> None:
        await asyncio.sleep(0.001)
        seen.append((number, cell.get()))

    cell.set("plain")
    assert api.progress(5, progress).result() == "done"

    async def main() -> None:
        assert api.progress(5, progress).result() == "done"

    asyncio.run(main())
    assert seen == [(n, "plain") for n in range(5)] * 2


def test_callbacks_nobody_waits_for_run_in_one_worker(api: Any) -> None:
    seen: list[tuple[int, str, str]] = []
    cell.set("left behind")

    def progress(number: int, count: int) -> None:
        seen.append((number, cell.get(), threading.current_thread().name))

    call = api.progress(20, progress)
    until(lambda: len(seen) == 20)
    assert seen == [(n, "left behind", "kkjupyter-callbacks") for n in range(20)]
    assert call.result() == "done"


def test_a_callback_that_comes_before_its_call_is_awaited_is_not_lost_to_the_worker(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between `api.work(callback)` and the wait for it there is always a moment."""
    monkeypatch.setattr("kkjupyter.calls.state._CALLBACK_GRACE_S", 0.5)
    seen: list[str] = []
    call = api.progress(3, lambda number, count: seen.append(threading.current_thread().name))
    until(lambda: call.state == "done")
    assert seen == []
    assert call.result() == "done"
    assert seen == [threading.current_thread().name] * 3


def test_callbacks_stay_in_order_when_somebody_begins_to_wait(api: Any) -> None:
    """Some in the worker, the rest in the thread that waits; all before the reply."""
    seen: list[int] = []

    def progress(number: int, count: int) -> None:
        time.sleep(0.002)
        seen.append(number)

    call = api.progress(50, progress)
    until(lambda: len(seen) > 5)
    assert call.result() == "done"
    assert seen == list(range(50))


def test_a_callback_may_wait_for_another_call_and_cancel_its_own(api: Any) -> None:
    sums: list[float] = []
    assert api.progress(3, lambda n, count: sums.append(api.add(n, 1).result())).result() == "done"
    assert sums == [1, 2, 3]
    box: list[Any] = []
    call = api.progress(10**9, lambda n, count: box[0].cancel() if box else None)
    box.append(call)
    with pytest.raises(kk.CallCancelled):
        call.result()


def test_a_failing_callback_is_reported_and_harms_nobody(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(number: int, count: int) -> None:
        raise KeyError(number)

    assert api.progress(2, broken).result() == "done"
    assert warnings_of(caplog) == ["callback broken failed"] * 2


def test_one_function_for_two_calls_at_once(api: Any) -> None:
    """Each call's callbacks have run before its own reply."""
    seen: list[int] = []

    async def main() -> None:
        def shared(number: int, count: int) -> None:
            seen.append(count)

        first, second = api.progress(5, shared), api.progress(7, shared)
        assert await first == "done"
        assert seen.count(5) == 5
        assert await second == "done"
        assert seen.count(7) == 7

    asyncio.run(main())


@pytest.mark.only("classic")
def test_the_same_function_keeps_its_id(api: Any) -> None:
    """Nobody can say there that a function is not needed any more; compact: test_callbacks.py."""

    class Holder:
        def progress(self, number: int, count: int) -> None:
            pass

    holder = Holder()
    for _ in range(5):
        assert api.progress(1, holder.progress).result() == "done"
    assert len(carrier(api)._functions) == 1


# ---- what cannot be


def test_arguments_that_cannot_be_sent(api: Any, endpoint: Endpoint) -> None:
    with pytest.raises(kk.EncodeError, match="echo") as caught:
        api.echo({"deep": [1, object()]})
    assert caught.value.path == "args.0.deep.1"
    if api._kk_session.protocol == "classic":
        with pytest.raises(kk.UsageError, match="argument 1 is a stream"):
            api.echo(number for number in range(3))
    with pytest.raises(kk.UsageError, match=r"argument 2 is the call echo\(1\)"):
        api.add(1, api.echo(1))
    with pytest.raises(kk.UsageError, match="argument 1 is a remote name"):
        api.echo(api.settings.theme)
    assert endpoint.calls == []


def test_an_argument_whose_repr_fails_still_travels(api: Any) -> None:
    class Odd(dict):  # type: ignore[type-arg]
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    assert api.echo(Odd(a=1)).result() == {"a": 1}


def test_blocking_waits_inside_our_own_loops_are_refused(
    start: Any, spoken: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[str] = []

    class Outer:
        """Handlers that call another endpoint, the wrong way and the right way."""

        async def wrong(self) -> None:
            for attempt in (
                lambda: inner_api.add(1, 2).result(),
                lambda: list(inner_api.countdown(3)),
                lambda: setattr(inner_api.settings, "theme", "x"),
                lambda: kk.get(inner_api.settings.theme),
                lambda: kk.close(inner_api),
            ):
                try:
                    attempt()
                except kk.UsageError as error:
                    errors.append(str(error))

        async def right(self) -> Any:
            await kk.aset(inner_api.settings.theme, "awaited")
            values = [n async for n in inner_api.countdown(2)]
            return [await inner_api.add(1, 2), values, await inner_api.settings.theme]

        def in_a_thread(self) -> Any:
            return inner_api.add(1, 2).result()

    with (
        start(Endpoint(), writable=["settings"]) as inner,
        inner.connect(**spoken) as inner_api,
        start(Outer()) as outer,
        outer.connect(**spoken) as api,
    ):
        api.wrong().result(timeout_s=5)
        assert len(errors) == 5
        assert [text for text in errors if "use" not in text] == []
        assert api.right().result(timeout_s=5) == [3, [2, 1, 0], "awaited"]
        assert api.in_a_thread().result(timeout_s=5) == 3


def test_on_the_io_loop_awaiting_works_and_blocking_does_not(api: Any) -> None:
    async def main() -> Any:
        with pytest.raises(kk.UsageError, match="await"):
            api.add(1, 2).result()
        return await api.add(1, 2)

    assert io_loop().submit(main()).result(5) == 3


def test_debug_logs_show_no_token(
    start: Any, spoken: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        start(Endpoint()) as server,
        server.connect(**spoken) as api,
    ):
        assert api.add(1, 2).result() == 3
        with pytest.raises(kk.RemoteError) as caught:
            api.fails().result()
        secret = getattr(server, "token", None) or "not there"
        shown = [caplog.text, repr(server), repr(api), repr(kk.status()), str(caught.value)]
        shown += [repr(vars(caught.value))]
        assert not any(secret in text for text in shown)
