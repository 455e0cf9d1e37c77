"""Vovk handlers in cells: magics, the last line, completion, help, the card."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from support.servers.http_servers import listening
from support.vovk.servers import HELLO, LAST_CHUNK, Peer, head, lines

import kkjupyter as kk
from kkjupyter import notebook

SAID = head() + lines('{"message":"Hello,"}', '{"message":" World"}') + LAST_CHUNK
SCHEMA = json.dumps({"schema": HELLO}).encode()


class Cells:
    """A shell with a connection in it, and its peer."""

    def __init__(self, shell: InteractiveShell, peer: Peer, url: str) -> None:
        self.shell = shell
        self.peer = peer
        self.url = url

    def run(self, code: str) -> Any:
        """Run a cell; returns its value. What it raised is raised."""
        result = self.shell.run_cell(code)
        result.raise_error()
        return result.result

    def bodies(self) -> list[Any]:
        return [json.loads(body) for body in self.peer.bodies]


@pytest.fixture
def cells() -> Iterator[Cells]:
    made: list[tuple[Peer, str]] = []
    ready, over = threading.Event(), threading.Event()

    def serve() -> None:
        async def main() -> None:
            peer = Peer([SAID], schema=SCHEMA)
            async with listening(peer) as url:
                made.append((peer, url))
                ready.set()
                await asyncio.to_thread(over.wait)

        asyncio.run(main())

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(5)
    [(peer, url)] = made
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    notebook.load(shell)
    try:
        shell.run_cell(f"%rpc connect {url}/api as api").raise_error()
        yield Cells(shell, peer, url)
    finally:
        notebook.unload(shell)
        InteractiveShell.clear_instance()
        over.set()
        thread.join(5)


def test_a_magic_shows_the_stream(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    cells.run('%rpc api.HelloRPC.streamTokens(body={"hello": "world"}) --view text --out reply')
    assert '{"message": " World"}' in capsys.readouterr().out
    reply = cells.run("reply")
    assert reply.items == [{"message": "Hello,"}, {"message": " World"}]
    assert reply.status == "done"


@pytest.mark.parametrize(
    ("line", "text", "body"),
    [
        ("api.HelloRPC.streamTokens()", '{"hello": "wörld"}', {"hello": "wörld"}),
        ("api.hello_rpc['stream_tokens'](query={'a': 1})", "[1]", [1]),
        ("kk.call(api.HelloRPC.streamTokens, timeout_s=5)", '{"a": 1}', {"a": 1}),
        ("method()", '{"a": 2}', {"a": 2}),
        ("api.HelloRPC.streamTokens() --interpolate", '{"a": "{name}"}', {"a": "Ann"}),
    ],
)
def test_the_text_below_is_the_body(cells: Cells, line: str, text: str, body: Any) -> None:
    cells.run("import kkjupyter as kk; method = api.HelloRPC.streamTokens; name = 'Ann'")
    cells.run(f"%%rpc {line}\n{text}\n")
    assert cells.bodies() == [body]


def test_text_that_is_no_json_goes_as_it_is(cells: Cells) -> None:
    cells.run("%%rpc api.HelloRPC.streamTokens()\nTell me {more}\n")
    assert cells.peer.bodies == [b"Tell me {more}"]
    with pytest.raises(kk.UsageError, match="leave the one in the first line out"):
        cells.run("%%rpc api.HelloRPC.streamTokens(body=1)\nmore\n")


def test_the_last_line(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    reply = cells.run("api.HelloRPC.streamTokens()")
    assert reply.items == [{"message": "Hello,"}, {"message": " World"}]
    assert "Hello," in capsys.readouterr().out


def test_what_is_not_there(cells: Cells) -> None:
    with pytest.raises(kk.UsageError, match="did you mean 'streamTokens'"):
        cells.run("%rpc api.HelloRPC.streamTokns()")
    with pytest.raises(kk.UsageError, match=r"is not called yet: .*\(\.\.\.\) calls it$"):
        cells.run("%rpc api.HelloRPC.streamTokens")
    with pytest.raises(kk.UsageError, match="have no properties"):
        cells.run("%rpc await api.HelloRPC.streamTokens")


@pytest.mark.slow
def test_completion(cells: Cells) -> None:
    def completed(text: str) -> set[str]:
        with provisionalcompleter():
            return {found.text for found in cells.shell.Completer.completions(text, len(text))}

    assert {"streamTokens", "stream_tokens"} <= completed("api.HelloRPC.st")
    assert "HelloRPC" in completed("%rpc api.He")
    assert "body=" in completed("api.HelloRPC.streamTokens(bo")


def test_help(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    cells.run("api.HelloRPC.checked?")
    text = capsys.readouterr().out
    assert "Counts." in text
    assert "{to: int, by?: int}" in text
    assert "items: int" in text


def test_the_card(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    cells.run("api.HelloRPC.getGreeting")
    text = capsys.readouterr().out
    assert "api.HelloRPC.getGreeting(params=..., ...)" in text
    assert "to read it" not in text
    cells.run("api")
    assert "vovk, jsonlines" in capsys.readouterr().out


def test_status_and_close(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    cells.run("%rpc status")
    assert f"{cells.url}/api  vovk, jsonlines: idle" in capsys.readouterr().out
    cells.run("%rpc close api")
    with pytest.raises(kk.UsageError, match="is closed"):
        cells.run("api.HelloRPC.streamTokens()")


def test_connecting_with_a_schema(
    cells: Cells, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "root.json"
    file.write_text(json.dumps(HELLO), "utf-8")
    cells.run(f"%rpc connect {cells.url}/api as other --schema {file}")
    assert "other is connected" in capsys.readouterr().out
    assert cells.run("dir(other)") == ["HelloRPC", "hello_rpc"]
