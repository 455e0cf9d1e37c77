"""Their clients with their servers: what fails here is not our doing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from support.peers.lines import COMPACT, DUPLEX, LINES, on, rich
from support.peers.node import Line, NodeClient, NodeError, NodeServer, server_command


@pytest.fixture(scope="module")
def client(line: Line) -> Iterator[NodeClient]:
    with contextlib.ExitStack() as stack:
        target: str | list[str]
        if line.transport == "stdio":
            target = server_command(line)
        else:
            target = stack.enter_context(NodeServer(line)).url
        yield stack.enter_context(NodeClient(target, line))


@on(LINES)
def test_values(client: NodeClient) -> None:
    script = """
        return [await api.math.grade1.add(40, 2), await construct("Counter", [10, 5]),
                await api.settings.theme];
    """
    assert client.run(script) == [42, {"start": 10, "step": 5}, "light"]
    with pytest.raises(NodeError) as caught:
        client.run("await api.fail()")
    assert caught.value.fields["code"] == "E_TYPE"


@on(rich(LINES))
def test_rich_values(client: NodeClient) -> None:
    assert client.run("return (await api.rich()).when.getTime()") == 0


@on(DUPLEX)
def test_streams_callbacks_and_the_other_direction(client: NodeClient) -> None:
    script = """
        const calls = [];
        const result = await api.onProgress(2, (i, n) => { calls.push([i, n]) });
        return [await read(api.countdown(2)), result, calls, await api.askClient("you")];
    """
    assert client.run(script) == [[2, 1, 0], "done", [[1, 2], [2, 2]], "hello you"]


@on(DUPLEX)
def test_what_stands_around_a_call(client: NodeClient) -> None:
    assert client.run('return await api.shouted("a")') == "A"
    with pytest.raises(NodeError, match="the guard says no"):
        client.run("await api.guarded()")
    with pytest.raises(NodeError, match="two numbers are expected"):
        client.run('await api.checked(1, "two")')


@on(COMPACT)
def test_what_the_second_generation_adds(client: NodeClient) -> None:
    script = """
        async function* numbers() { yield 1; yield 2 }
        const kept = [];
        await api.keep((value) => { kept.push(value) });
        await api.callKept(5);
        await api.releaseKept();
        meta.requestId = "r-1";
        const seen = await api.metaOf();
        delete meta.requestId;
        const catching = (await api.catching())[Symbol.asyncIterator]();
        await catching.next();
        return [await api.sum(numbers()), await read(api.doubled(numbers())), kept, seen,
                (await catching.throw("a text")).value];
    """
    assert client.run(script) == [3, [2, 4], [5], {"requestId": "r-1"}, "caught a text"]
