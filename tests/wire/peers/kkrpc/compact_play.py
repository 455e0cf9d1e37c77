"""Plays one side of a compact transcript to ours, and brings what is said to a form to compare.

Compared is what a message means. So left out are the text of stacks, ids that are random and answer
nothing, and credit: how much of it a consumer grants, and when, is its own affair. Both sides are
played with due regard to it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.server import ServerConnection, serve
from wire.peers.kkrpc.recordings import Frame, Transcript
from wire.peers.kkrpc.scenarios import PATIENCE_S

__all__ = [
    "ClientPlay",
    "RecordedServer",
    "by_call",
    "handle_id",
    "meaning",
    "parsed",
    "without_items",
]

STREAM_TAG = "__kkrpc_next_stream__"


def parsed(text: str) -> dict[str, Any] | None:
    """A frame's message; None if it is none."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def handle_id(value: Any) -> str | None:
    """The id in a stream's handle."""
    return value.get("id") if isinstance(value, dict) and STREAM_TAG in value else None


def argument_ids(message: dict[str, Any]) -> list[str]:
    """The ids of callbacks and streams among the arguments of a request."""
    ids = []
    for arg in message.get("a") or ():
        if isinstance(arg, dict) and "__kkrpc_next_arg__" in arg:
            arg_id = arg.get("id") or handle_id(arg.get("v"))
            if arg_id is not None:
                ids.append(arg_id)
    return ids


def renamed(message: Any, ids: dict[str, str]) -> Any:
    """``message`` with ids replaced, wherever an id may stand."""
    if isinstance(message, list):
        return [renamed(part, ids) for part in message]
    if not isinstance(message, dict):
        return message
    return {
        key: ids.get(value, value)
        if key in ("id", "sid") and isinstance(value, str)
        else renamed(value, ids)
        for key, value in message.items()
    }


def meaning(message: dict[str, Any], control_ids: set[str]) -> dict[str, Any]:
    """``message`` without what carries no meaning."""
    message = dict(message)
    if message.get("t") in ("sr", "sq") and message["id"] not in control_ids:
        del message["id"]
    if isinstance(message.get("e"), dict):
        message["e"] = {key: value for key, value in message["e"].items() if key != "s"}
        if isinstance(cause := message["e"].get("cause"), dict):
            message["e"]["cause"] = {k: v for k, v in cause.items() if k != "stack"}
    return message


def without_items(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where only timing decides how many items come: they are counted up and left out."""
    rest = []
    counts: Counter[str] = Counter()
    for message in messages:
        if message["t"] == "sr" and "id" not in message and message.get("d") is False:
            first = counts.setdefault(f"first {message['sid']}", message["v"])
            assert message["v"] == first + counts[message["sid"]]
            counts[message["sid"]] += 1
        else:
            rest.append(message)
    return rest


def by_call(messages: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Messages of one stream keep their order; answers to several calls may come in any."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        key = f"{message['t']} {message.get('sid') or message.get('id')}"
        grouped[key].append(json.dumps(message, sort_keys=True))
    # Two calls of one id are two calls.
    return {key: sorted(group) if key.startswith("r ") else group for key, group in grouped.items()}


class ClientPlay:
    """A transcript's client frames, sent to our server; what it answers.

    Ids are as recorded: those that our server makes are replaced.

    Attributes:
        answers: what our server said, save credit and releases.
        released: the callbacks that our server released; the recorded one would have, when its
            garbage was collected.
        expected: what the recorded one said, save credit.
    """

    def __init__(self, transcript: Transcript, socket: ClientConnection) -> None:
        self.frames = transcript.frames
        self.answers: list[dict[str, Any]] = []
        self.released: list[str] = []
        self._socket = socket
        self._credits: Counter[str] = Counter()
        self._returned: set[str] = set()
        self._ours: dict[str, str] = {}  # recorded id -> our server's
        self._theirs: dict[str, str] = {}
        from_client = [parsed(f.text) or {} for f in self.frames if f.from_client]
        from_server = [parsed(f.text) or {} for f in self.frames if not f.from_client]
        self._control_ids = {m["id"] for m in from_client if m.get("t") == "sq"}
        handles = {m["id"]: handle_id(m.get("v")) for m in from_server if m["t"] == "r"}
        self._handles = {call_id: sid for call_id, sid in handles.items() if sid is not None}
        self._pulls = {m["id"] for m in from_client if m.get("op") == "pull"}
        self._pulled = {m["sid"] for m in from_server if m.get("op") == "pull"}
        self._controls = {(m["sid"], m["op"]): m["id"] for m in from_server if m["t"] == "sq"}
        self.expected = [self._meant(m) for m in from_server if m.get("op") != "pull"]

    def _meant(self, message: dict[str, Any]) -> dict[str, Any]:
        known = self._control_ids | set(self._controls.values())
        return meaning(message, known)

    def run(self) -> None:
        """Send each recorded frame when what came before it has been answered."""
        due = 0
        for frame in self.frames:
            if frame.from_client:
                self.send(frame)
            elif (parsed(frame.text) or {}).get("op") != "pull":
                due += 1
                while len(self.answers) < due:
                    self.receive()

    def send(self, frame: Frame) -> None:
        """Send one recorded frame, its ids replaced, as soon as there is credit for it."""
        message = parsed(frame.text)
        stream_id = message and message.get("sid")
        is_item = stream_id in self._pulled and frame.text.startswith('{"t":"sr"')
        if message and is_item and message["id"] not in self._controls.values():
            self._await_credit(message["sid"])
            if stream_id in self._returned:
                return  # our server wants no more; the recorded one had asked for it by then
        while stream_id in self._handles.values() and stream_id not in self._ours:
            self.receive()  # answers to several calls may come in any order
        if message is None or self._ours.keys().isdisjoint((message.get("id"), stream_id)):
            self._socket.send(frame.payload)
        else:
            self._socket.send(json.dumps(renamed(message, self._ours)))

    def _await_credit(self, stream_id: str) -> None:
        while not self._credits[stream_id] and stream_id not in self._returned:
            self.receive()
        self._credits[stream_id] -= 1

    def receive(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next thing our server says."""
        frame = self._socket.recv(timeout=timeout_s)
        assert isinstance(frame, str), "answers are text frames"
        message = json.loads(frame)
        sid = handle_id(message.get("v"))
        handle = self._handles.get(message.get("id"))
        if message["t"] == "r" and sid is not None and handle is not None:
            self._ours[handle], self._theirs[sid] = sid, handle
        if message["t"] == "sq":
            if message["op"] == "return":
                self._returned.add(message["sid"])
            control_id = self._controls.get((message["sid"], message["op"]))
            if control_id is not None:
                self._ours[control_id] = message["id"]
                self._theirs[message["id"]] = control_id
        if "e" in message:
            for ours, recorded in self._theirs.items():  # a text may name a stream
                message["e"]["m"] = message["e"]["m"].replace(ours, recorded)
        message = renamed(message, self._theirs)
        if message.get("op") == "pull":
            self._credits[message["sid"]] += message["n"]
        elif message["t"] == "cbr":
            self.released += message["ids"]
        elif message["id"] in self._pulls and message["sid"] in self._ours:
            pass  # credit that came when the stream was over: a race, with the recorded one as well
        else:
            self.answers.append(self._meant(message))
        return dict(message)

    def finish(self, count: int) -> None:
        """Wait for ``count`` answers in all, and see that no more come."""
        while len(self.answers) < count:
            self.receive()
        self._socket.send('{"t":"q","id":"last","op":"call","p":["slow"],"a":[50]}')
        while self.receive().get("id") != "last":
            pass
        del self.answers[-1]


class RecordedServer:
    """Plays the server's part of a transcript to one client of ours.

    Attributes:
        url: where.
        extra: messages of the client that the recorded client did not send.
        trouble: what went otherwise than recorded.
        played: set when the transcript is through.
    """

    def __init__(self, transcript: Transcript, delay: Callable[[], object]) -> None:
        self.extra: list[dict[str, Any]] = []
        self.trouble: BaseException | None = None
        self.played = threading.Event()
        self._delay = delay
        self._frames = transcript.frames
        self._ids: dict[str, str] = {}  # recorded id -> our client's
        self._credits: Counter[str] = Counter()
        self._returned: dict[str, dict[str, Any]] = {}  # stream -> our client's control
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _serve(self, socket: ServerConnection) -> None:
        try:
            for frame in self._frames:
                message = parsed(frame.text)
                assert message is not None
                if not frame.from_client:
                    self._say(socket, message)
                elif message.get("op") != "pull":
                    self._expect(socket, message)
            self.played.set()
            while True:
                self._hear(socket, None)
        except ConnectionClosed:
            pass
        except BaseException as exc:  # noqa: BLE001  raised again in the test's own thread
            self.trouble = exc
            socket.close()
        finally:
            self.played.set()

    def _say(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        self._delay()
        if message["t"] == "sr" and message["id"] not in self._ids:  # no acknowledgement
            sid = message["sid"]
            while not self._credits[sid] and sid not in self._returned:
                self._hear(socket, PATIENCE_S)
            if sid in self._returned:
                return  # the recorded client had asked for more by then
            self._credits[sid] -= 1
        socket.send(json.dumps(renamed(message, self._ids)))

    def _expect(self, socket: ServerConnection, recorded: dict[str, Any]) -> None:
        if recorded["t"] == "sq" and (ours := self._returned.get(recorded["sid"])):
            pass
        else:
            while (ours := self._hear(socket, PATIENCE_S)) is None:
                pass
        if recorded["t"] in ("q", "sq"):
            self._ids[recorded["id"]] = ours["id"]
        theirs_ids, our_ids = argument_ids(recorded), argument_ids(ours)
        self._ids.update(zip(theirs_ids, our_ids, strict=True))
        known = set(self._ids.values())
        assert meaning(ours, known) == meaning(renamed(recorded, self._ids), known)

    def _hear(self, socket: ServerConnection, timeout_s: float | None) -> dict[str, Any] | None:
        """The next message of our client; None for credit and what comes on top."""
        text = socket.recv(timeout=timeout_s)
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text)
        if message.get("op") == "pull":
            self._credits[message["sid"]] += message["n"]
            return None
        if message["t"] == "sq":
            self._returned[message["sid"]] = message
        if timeout_s is None:
            self.extra.append(message)
        return message
