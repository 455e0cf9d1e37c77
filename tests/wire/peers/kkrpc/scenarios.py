"""What the recorded client was made to do, scenario by scenario, done with ours.

Each function takes the remote API and the codec, and returns what the recorded client printed.
"""

from __future__ import annotations

import datetime as dt
import gc
import math
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter.client.remote import Remote, set_remote
from kkjupyter.wire.values.javascript import BigInt, Map, RegExp, undefined

__all__ = ["CLIENT", "PATIENCE_S", "as_json", "said"]

PATIENCE_S = 5.0
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


def said(run: Callable[[], Any]) -> Any:
    """As the recorded client noted results: the value, or the error in a line."""
    try:
        return run()
    except kk.RemoteError as error:
        code = f" code={error.data['code']}" if "code" in error.data else ""
        return f"ERR {error.name}: {error.message}{code}"


def as_json(value: Any) -> Any:
    """As the recorded client wrote values down: JSON.stringify, with marks for the rest."""
    match value:
        case BigInt():
            return f"{int(value)}n"
        case dt.datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case float() if math.isnan(value):
            return None
        case bytes():
            return {str(index): byte for index, byte in enumerate(value)}
        case Map() | set() | RegExp():
            return {}
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {key: as_json(item) for key, item in value.items()}
    return "<undefined>" if value is undefined else value


def as_text(value: Any) -> str:
    """What String(value) gives in JavaScript."""
    match value:
        case None:
            return "null"
        case dt.datetime():
            return value.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
        case Map():
            return "[object Map]"
        case dict():
            return "[object Object]"
        case set():
            return "[object Set]"
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case float() if value == 0:
            return "0"
        case list() | bytes():
            return ",".join("" if item is None else as_text(item) for item in value)
    return str(value)


RICH_VALUES = (
    *("getDate", "getMap", "getSet", "getNaN", "getInfinity", "getRegExp", "getURL", "getError"),
    *("getUint8Array", "getShared", "getSymbol", "getFunction", "getTyped"),
)


def rich_property(api: Remote, codec: str) -> Any:
    set_remote(api.counter, EPOCH if codec == "json" else Map({"a": EPOCH})).result()
    return as_text(kk.get(api.counter))


def rich_values(api: Remote, codec: str) -> Any:
    values = {name: api[name]().result() for name in RICH_VALUES}
    if codec == "superjson":
        # String() tells little of these, so they are looked at here.
        assert values["getMap"] == {"k": {"v": 1}, "l": 2}
        assert values["getSet"] == {1, "two"}
        assert math.copysign(1, values["getInfinity"][2]) == -1
        assert values["getTyped"] == {"f32": array("f", [1.5]), "i16": array("h", [-2]), "buf": {}}
        assert values["getShared"]["x"] is values["getShared"]["y"]
    return {name: as_text(value) for name, value in values.items()}


def cancel_break(api: Remote, codec: str) -> Any:
    seen = []
    for value in api.infinite():
        seen.append(value)
        if len(seen) == 3:
            break
    return [seen, kk.get(api.stats.closed)]


def cancel_slow_producer(api: Remote, codec: str) -> Any:
    for _ in api.sleeper(800):
        break
    at_break, later = kk.get(api.stats), kk.get(api.stats)
    return {"closedAtBreak": at_break["sleeperClosed"], "closedLater": later["sleeperClosed"]}


def concurrent(api: Remote, codec: str) -> Any:
    calls = [api.delayed(3, 10), api.countdown(2), api.delayed(2, 14)]
    return [call.result() for call in calls]


def return_value(api: Remote, codec: str) -> Any:
    iterator = iter(api.withReturn(1))
    steps = []
    for _ in range(3):
        value = next(iterator, undefined)
        steps.append({"done": value is undefined, "value": as_json(value)})
    return steps


def callback(api: Remote, codec: str) -> Any:
    calls: list[list[int]] = []
    return [api.onProgress(3, lambda i, n: calls.append([i, n])).result(), calls]


def destroy_with_stream(api: Remote, codec: str) -> Any:
    iterator = iter(api.forever10ms())
    assert next(iterator) == 1
    kk.close(api)
    with pytest.raises(kk.CallCancelled):
        next(iterator)
    return "<undefined>"


def destroy_client(api: Remote, codec: str) -> Any:
    assert api.add(1, 1).result() == 2
    kk.close(api)
    return "<undefined>"


def not_consumed(api: Remote, codec: str) -> Any:
    calls = [api.countdown(2)]
    until(lambda: calls[0].state != "waiting")
    calls.clear()
    gc.collect()
    return "never iterated"


CLIENT: dict[str, Callable[[Remote, str], Any]] = {
    "callback": callback,
    "callback-return-value": lambda api, codec: api.cbReturn(lambda a, b: a + b).result(),
    "construct": lambda api, codec: [
        kk.new(api.Counter, 10, 5).result(),
        kk.new(api.ns.Point, 1, 2).result(),
        said(kk.new(api.BadCtor).result),
        said(kk.new(api.nope).result),
    ],
    "destroy-client": destroy_client,
    "destroy-with-stream": destroy_with_stream,
    "error-cause-object": lambda api, codec: said(api.throwObjectCause().result),
    "error-custom": lambda api, codec: said(api.throwCustom().result),
    "error-null": lambda api, codec: said(api.throwNull().result),
    "error-plain": lambda api, codec: said(api.throwError().result),
    "error-string": lambda api, codec: said(api.throwString().result),
    "get": lambda api, codec: [
        kk.get(api.counter),
        kk.get(api.config.nested.level),
        kk.get(api.config),
    ],
    "get-null-and-missing": lambda api, codec: [
        kk.get(api.nothing),
        said(lambda: kk.get(api.missing)),
        said(lambda: kk.get(api.a.b.c)),
    ],
    "nested-call": lambda api, codec: api.math.grade1.add(40, 2).result(),
    "no-args": lambda api, codec: api.argCount().result(),
    "rich-property": rich_property,
    "rich-values": rich_values,
    "set": lambda api, codec: [
        set_remote(api.counter, 41).result(),
        kk.get(api.counter),
        set_remote(api.config.theme, {"x": 1}).result(),
        said(set_remote(api.no.such.path, 1).result),
    ],
    "stream-basic": lambda api, codec: list(api.countdown(3)),
    "stream-cancel-break": cancel_break,
    "stream-cancel-slow-producer": cancel_slow_producer,
    "stream-concurrent": concurrent,
    "stream-empty": lambda api, codec: list(api.empty()),
    "stream-fail-before-first": lambda api, codec: said(api.failNow().result),
    "stream-failing": lambda api, codec: said(api.failAfter(2).result),
    "stream-in-object": lambda api, codec: [
        api.objectWithStream().result(),
        api.arrayOfStreams().result(),
    ],
    "stream-nested": lambda api, codec: list(api.data.stream(2)),
    "stream-not-consumed": not_consumed,
    "stream-return-value": return_value,
    "stream-sync-generator": lambda api, codec: api.syncGen(2).result(),
    "unary-call": lambda api, codec: [
        api.add(2, 3).result(),
        api.echo({"a": [1, "x", None]}).result(),
    ],
    "undefined-results": lambda api, codec: [
        api.getUndefined().result(),
        api.getNull().result(),
        api.echo(undefined).result(),
        api.echoAll(undefined, None, 1).result(),
    ],
    "unknown-method": lambda api, codec: [
        said(api.noSuchMethod(1).result),
        said(api.no.such.method(1).result),
        said(api.math.grade9.add(1).result),
        said(api.notCallable(1).result),
    ],
    "rich-args": lambda api, codec: api.echoAll(
        EPOCH, Map({"a": 1}), {1}, undefined, math.nan, b"\x01\x02", RegExp("a", "g"), BigInt(5)
    ).result(),
}
