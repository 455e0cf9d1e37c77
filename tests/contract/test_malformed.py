"""Frames that are no messages, or odd ones: they harm nobody."""

from __future__ import annotations

import json
import random
from typing import Any

from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import PATIENCE_S

from kkjupyter.api.in_process import serve_in_memory

MALFORMED_CLASSIC = [
    b"{}\n",
    b"null\n",
    b"[]\n",
    b"{\n",
    b"garbage\n",
    b"\xff\xfe\x00\n",
    b'{"json":{}}\n',
    b'{"json":null,"meta":1}\n',
    b'{"id":"x","args":[],"type":"request"}\n',
    b'{"id":5,"method":"add","args":[1,2],"type":"request"}\n',
    b'{"id":"x","method":"add","args":{"a":1},"type":"request"}\n',
    b'{"id":"x","method":"","args":[],"type":"request"}\n',
    b'{"id":"x","method":"...","args":[],"type":"request"}\n',
    b'{"id":"x","method":"__class__.__init__","args":[],"type":"request"}\n',
    b'{"id":"x","method":"add","args":[1,2],"type":"construct"}\n',
    b'{"id":"x","method":"","args":{},"type":"get"}\n',
    b'{"id":"x","method":"","args":{},"type":"get","path":[]}\n',
    b'{"id":"x","method":"","args":{},"type":"get","path":[null,{},5]}\n',
    b'{"id":"x","method":"","args":{},"type":"set","path":["add"],"value":5}\n',
    b'{"id":"x","method":"","args":{},"type":"set","path":["__class__"],"value":5}\n',
    b'{"id":"x","type":"stream-cancel"}\n',
    b'{"id":"x","type":"stream-chunk","args":null}\n',
    b'{"id":"x","type":"response"}\n',
    b'{"id":"x","type":"callback","method":"nobody","args":[]}\n',
    b'{"id":"x","type":"no such type"}\n',
    b'{"id":"x","method":"echo","args":["__callback__7"],"callbackIds":[7],"type":"request"}\n',
    b'{"json":{"id":"x","method":"echo","args":[1],"type":"request"},'
    b'"meta":{"values":{"args.0.deep.er":["Date"]}}}\n',
    b'{"json":{"id":"x","method":"echo","args":[1],"type":"request"},'
    b'"meta":{"values":{"args.0":[["typed-array","Nonsense"]]}}}\n',
    b'{"json":{"id":"x","method":"echo","args":["("],"type":"request"},'
    b'"meta":{"values":{"args.0":["regexp"]}}}\n',
    b'{"json":{"id":"x","method":"echo","args":[[]],"type":"request"},'
    b'"meta":{"referentialEqualities":{"args.0":["args.0.0.0"]}}}\n',
    b'{"id":"x","method":"echo","args":[' + b"[" * 5000 + b"]" * 5000 + b'],"type":"request"}\n',
    b"\n\n\n",
]
MALFORMED_COMPACT = [
    b"{}\n",
    b"[]\n",
    b"{\n",
    b"garbage\n",
    b"\xff\xfe\x00\n",
    b"\n\n\n",
    b'{"t":"q"}\n',
    b'{"t":5,"id":"x"}\n',
    b'{"t":"zz","id":"x"}\n',
    b'{"t":"q","id":5,"op":"call","p":["add"],"a":[1,2]}\n',
    b'{"t":"q","id":"x","op":"call","p":"add","a":[1,2]}\n',
    b'{"t":"q","id":"x","op":"call","p":["add",null],"a":[1,2]}\n',
    b'{"t":"q","id":"x","op":"call","p":[],"a":[]}\n',
    b'{"t":"q","id":"x","op":"call","p":["add"],"a":{"0":1}}\n',
    b'{"t":"q","id":"x","op":"call","p":["__class__","__init__"],"a":[]}\n',
    b'{"t":"q","id":"x","op":"new","p":["add"],"a":[1,2]}\n',
    b'{"t":"q","id":"x","op":"get","p":[]}\n',
    b'{"t":"q","id":"x","op":"set","p":["add"],"v":5}\n',
    b'{"t":"q","id":"x","op":"set","p":["__class__"],"v":5}\n',
    b'{"t":"q","id":"x","op":"set","p":[],"v":5}\n',
    b'{"t":"q","id":"x","op":"ref","p":["add"]}\n',
    b'{"t":"q","id":"x","op":"nonsense","p":["add"]}\n',
    b'{"t":"q","id":"x","op":"call","p":["echo"],"a":[{"__kkrpc_next_arg__":"callback"}]}\n',
    b'{"t":"q","id":"x","op":"call","p":["echo"],"a":[{"__kkrpc_next_arg__":"callback","id":7}]}\n',
    b'{"t":"q","id":"x","op":"call","p":["echo"],"a":[{"__kkrpc_next_arg__":"nonsense"}]}\n',
    b'{"t":"q","id":"x","op":"call","p":["echo"],"a":[1],"meta":"nonsense"}\n',
    b'{"t":"r"}\n',
    b'{"t":"r","id":"nobody","v":1}\n',
    b'{"t":"r","id":"nobody","e":5}\n',
    b'{"t":"sr","id":"x"}\n',
    b'{"t":"sr","id":"x","sid":"nobody","d":false,"v":1}\n',
    b'{"t":"sr","id":"x","sid":"nobody","e":"text"}\n',
    b'{"t":"sq","id":"x","op":"pull","n":1}\n',
    b'{"t":"sq","id":"x","sid":"nobody","op":"nonsense"}\n',
    b'{"t":"cb","id":"nobody","a":[1]}\n',
    b'{"t":"cb","id":"nobody","a":5}\n',
    b'{"t":"cbr"}\n',
    b'{"t":"cbr","ids":[1,null]}\n',
    b'{"t":"cbr","ids":["nobody"]}\n',
    b'{"json":{"t":"q","id":"x","op":"call","p":["echo"],"a":[1]},'
    b'"meta":{"values":{"a.0.deep.er":["Date"]}}}\n',
    b'{"json":{"t":"q","id":"x","op":"call","p":["echo"],"a":["("]},'
    b'"meta":{"values":{"a.0":["regexp"]}}}\n',
    b'{"json":{"t":"q","id":"x","op":"call","p":["echo"],"a":[[]]},'
    b'"meta":{"referentialEqualities":{"a.0":["a.0.0.0"]}}}\n',
    b'{"json":{"t":"q"},"meta":1}\n',
    b'{"t":"q","id":"x","op":"call","p":["echo"],"a":[' + b"[" * 5000 + b"]" * 5000 + b"]}\n",
    b"__DESTROY__\n",  # has no meaning there
]
MALFORMED = {"classic": MALFORMED_CLASSIC, "compact": MALFORMED_COMPACT}


def test_malformed_frames_harm_neither_the_server_nor_other_calls(
    api: Any, endpoint: Endpoint, protocol: str
) -> None:
    """Each in turn, on one connection; a 0.7 server dies of one of them."""
    send = carrier(api)._channel.send_queue.put
    stream = iter(api.ticks(0.001))
    assert next(stream) == 0
    for number, frame in enumerate(MALFORMED[protocol], 1):
        print(frame[:80])  # shown when the test fails
        send(frame)
        assert api.add(1, number).result(timeout_s=PATIENCE_S) == 1 + number
        assert next(stream) == number
        assert endpoint.add(1, 1) == 2  # nothing was overwritten
    assert carrier(api)._channel.is_open


def test_random_frames_harm_nobody(api: Any, endpoint: Endpoint) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # shown when the test fails
    chance = random.Random(seed)
    stream = iter(api.ticks(0.001))
    next(stream)
    send = carrier(api)._channel.send_queue.put
    for _ in range(400):
        send(random_frame(chance))
    assert api.add(1, 2).result(timeout_s=5) == 3
    assert len([next(stream) for _ in range(3)]) == 3
    assert carrier(api)._channel.is_open


CLASSIC_KEYS = ("id", "type", "method", "args", "path", "value", "callbackIds", "version")
COMPACT_KEYS = ("t", "id", "op", "p", "a", "v", "e", "sid", "n", "d", "ids", "meta")
KINDS = {
    "type": ["request", "get", "set", "construct", "response", "callback", "stream-chunk",
             "stream-end", "stream-error", "stream-cancel", "nonsense"],
    "t": ["q", "r", "sq", "sr", "cb", "cbr", "nonsense"],
    "op": ["call", "get", "set", "new", "ref", "pull", "return", "throw", "nonsense"],
}  # fmt: skip


def random_frame(chance: random.Random) -> bytes:
    def value(depth: int = 0) -> Any:
        kind = chance.randrange(9 if depth < 4 else 6)
        if kind == 6:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 7:
            return {word(): value(depth + 1) for _ in range(chance.randrange(4))}
        if kind == 8:
            return chance.choice(
                [
                    {"__stream": True},
                    {"__kkrpc_next_stream__": "async-iterable", "id": word()},
                    {"__kkrpc_next_arg__": chance.choice(["value", "callback"]), "id": word()},
                ]
            )
        return [None, True, chance.random(), chance.randrange(10**9), word(), ""][kind]

    def word() -> str:
        return chance.choice(
            ["id", "x", "add", "echo", "__proto__", "args.0", "values", "Date", "map", "countdown",
             "data.stream", "a.0", "response", "error", "result",
             "\ud83d", "1", "__callback__x", "json"]
        )  # fmt: skip

    message: dict[str, Any] = {}
    is_classic = chance.randrange(2)
    for key in CLASSIC_KEYS if is_classic else COMPACT_KEYS:
        match chance.randrange(5):
            case 0:
                pass
            case 1:
                message[key] = value()
            case _:
                message[key] = chance.choice(KINDS[key]) if key in KINDS else word()
    whole: Any = message
    if chance.randrange(2):
        metas = {"values": value(), "referentialEqualities": value(), "v": value()}
        whole = {"json": message, "meta": chance.choice([metas, value()])}
    data = bytearray(json.dumps(whole).encode())
    for _ in range(chance.choice([0, 0, 0, 1, 5])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    # Rubbish without an end may hold on to what follows it, so each ends.
    return bytes(data).replace(b"\n", b" ") + b"\n"


def test_a_server_that_sends_random_frames_harms_no_client(spoken: dict[str, str]) -> None:
    """The other direction: our side asks, and rubbish comes between the answers."""
    chance = random.Random(20240607)
    with serve_in_memory(Endpoint()) as server, server.connect(**spoken) as api:
        assert api.add(1, 2).result() == 3
        (producer,) = server._clients._producers
        send_queue = producer.channel.send_queue
        stream = iter(api.ticks(0.001))
        for number in range(20):
            for _ in range(10):
                send_queue.put(random_frame(chance))
            assert next(stream) == number
            assert api.add(number, 1).result(timeout_s=PATIENCE_S) == number + 1
