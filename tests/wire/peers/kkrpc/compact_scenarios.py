"""What the recorded client of kkrpc 2.1.0 was made to do beyond 0.7.0's, done with ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from wire.peers.kkrpc.api import Error
from wire.peers.kkrpc.scenarios import CLIENT, as_json, said

from kkjupyter.calls.call import Call
from kkjupyter.client.remote import Remote
from kkjupyter.wire.values.javascript import undefined

__all__ = ["COMPACT_CLIENT"]


async def numbers(first: int, last: int) -> AsyncIterator[int]:
    for number in range(first, last + 1):
        yield number


async def failing() -> AsyncIterator[int]:
    yield 1
    raise Error("arg failed")


def step(iterator: Any) -> dict[str, Any]:
    value = next(iterator, undefined)
    return {"done": value is undefined, "value": as_json(value)}


def concurrent(api: Remote, codec: str) -> Any:
    calls = [api.delayed(3, 10), api.countdown(2), api.delayed(2, 14)]
    # A stream is pulled by who reads it.
    with ThreadPoolExecutor() as readers:
        return list(readers.map(Call.result, calls))


def return_value(api: Remote, codec: str) -> Any:
    call = api.withReturn(1)
    iterator = iter(call)
    first, second, third = step(iterator), step(iterator), step(iterator)
    # A loop of Python's has no place for what a generator returned; the call has.
    second["value"] = call.return_value
    return [first, second, third]


def return_after_end(api: Remote, codec: str) -> Any:
    call = api.countdown(1)
    assert list(call) == [1]
    call.cancel()
    return {"done": True, "value": "x"}


def throw_control(api: Remote, codec: str) -> Any:
    with api.controlled() as call:
        iterator = iter(call)
        first = step(iterator)
        answer = {"done": False, "value": call.throw("boo").result()}
        return [first, answer, step(iterator)]


def throw_error_object(api: Remote, codec: str) -> Any:
    with api.controlled() as call:
        iterator = iter(call)
        first = step(iterator)
        return [first, {"done": False, "value": call.throw({}).result()}]


def released(api: Remote, codec: str) -> Any:
    assert api.onProgress(1, lambda i, n: None).result() == "done"
    return "<undefined>"


COMPACT_CLIENT: dict[str, Callable[[Remote, str], Any]] = CLIENT | {
    "backpressure-fast-consumer": lambda api, codec: len(list(api.countdown(70))),
    "backpressure-slow-consumer": lambda api, codec: len(list(api.countdown(70))),
    "callback-released": released,
    "error-empty-message": lambda api, codec: said(api.throwEmpty().result),
    "stream-concurrent": concurrent,
    "stream-arg": lambda api, codec: api.sum(numbers(1, 3)).result(),
    "stream-arg-early-break": lambda api, codec: api.takeFirst(numbers(1, 100), 2).result(),
    "stream-arg-error": lambda api, codec: api.catchStream(failing()).result(),
    "stream-arg-long": lambda api, codec: api.sum(numbers(1, 50)).result(),
    "stream-fail-string": lambda api, codec: said(api.failString(1).result),
    "stream-return-after-end": return_after_end,
    "stream-return-value": return_value,
    "stream-throw-control": throw_control,
    "stream-throw-control-error-object": throw_error_object,
}
