"""Where schemas come from: files, folders, addresses, the server itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.servers.http_servers import listening, read_request, reply
from support.vovk.servers import HELLO, bounded
from wire.peers.vovk.exchanges import schema_file

import kkjupyter as kk
from kkjupyter.client.remote import describe
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.vovk.client import session as vovk_session

SECRET = "s3cr3t-t0ken"
ROOT = schema_file("new-3.7.0-vovk-schema-root.json")
META = schema_file("new-3.7.0-vovk-schema-_meta.json")
OLD = schema_file("old-0.1.7-vovk-metadata.json")


class Files:
    """Serves JSON by path; everything else is a page that says so."""

    def __init__(self, files: dict[str, Any]) -> None:
        self.files = files
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request, _ = await read_request(reader)
            self.asked.append(request)
            method, path = request.split(" ")[:2]
            found = self.files.get(path.partition("?")[0])
            body = b"<p>no</p>" if found is None else json.dumps(found).encode()
            kind = "text/html" if found is None else "application/json"
            status = "404 Not Found" if found is None else "200 OK"
            answer = reply(body, status, content_type=kind)
            writer.write(
                answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer
            )


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Any]:
    api = await kk.aconnect(url, **options)
    try:
        yield api
    finally:
        await asyncio.to_thread(kk.close, api)


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), "utf-8")
    return folder


def test_folders_and_files(tmp_path: Path) -> None:
    admin = {**HELLO, "segmentName": "admin", "controllers": {"AdminRPC": _one()}}
    new = write(
        tmp_path / ".vovk-schema", {"_meta.json": META, "root.json": ROOT, "admin/x.json": admin}
    )
    old = write(tmp_path, {"vovk-metadata.json": OLD}) / "vovk-metadata.json"
    joined = {"meta": META, "segments": {"": ROOT, "admin": admin}}

    async def main() -> None:
        async with listening(Files({})) as url:
            for source in (new, str(new), joined):
                async with connected(f"{url}/api", schema=source) as api:
                    assert {"HelloRPC", "AdminRPC", "hello_rpc"} <= set(dir(api))
            for file in (old, OLD):
                async with connected(f"{url}/api", schema=file) as api:
                    assert "HelloController" in dir(api)
                    assert describe(api).codec == "divider"
            async with connected(f"{url}/api", schema=new / "root.json") as api:
                assert "AdminRPC" not in dir(api)

    bounded(main)


def _one() -> Any:
    return HELLO["controllers"]["HelloRPC"]


def test_addresses() -> None:
    files = Files(
        {
            "/files/vovk-metadata.json": OLD,
            "/s/_meta.json": META,
            "/s/root.json": ROOT,
            "/api/_schema_": {"schema": ROOT},
        }
    )

    async def main() -> None:
        async with listening(files) as url, listening(Files({})) as other:
            address = f"{other}/api"
            async with connected(address, schema=f"{url}/files/vovk-metadata.json") as api:
                assert "HelloController" in dir(api)
            for folder in (f"{url}/s", f"{url}/s/", f"{url}/api/_schema_"):
                async with connected(address, schema=folder) as api:
                    assert "HelloRPC" in dir(api)

    bounded(main)


def test_a_token_goes_to_no_other_server() -> None:
    files = Files({"/root.json": ROOT})

    async def main() -> None:
        async with listening(files) as url, listening(Files({})) as other:
            async with connected(f"{other}/api", schema=f"{url}/root.json", token=SECRET):
                pass
            assert SECRET not in "".join(files.asked)
            async with connected(f"{url}/api", schema=f"{url}/root.json", token=SECRET):
                pass
            assert SECRET in files.asked[-1]

    bounded(main)


def test_the_server_says_what_it_has() -> None:
    async def main() -> None:
        files = Files({"/api/_schema_": {"schema": HELLO}})
        async with listening(files) as url:
            for address in (url, f"{url}/", f"{url}/api", f"{url}/api/", f"{url}/api?k=1"):
                async with connected(address, token=SECRET) as api:
                    assert dir(api) == ["HelloRPC", "hello_rpc"]
                    with pytest.raises(kk.RemoteError, match="HTTP 404"):
                        await api.HelloRPC.getGreeting(params={"id": 1})
                    assert files.asked[-1].startswith("GET /api/hello/greeting/1")
            assert SECRET in files.asked[0]
            async with connected(url, protocol="vovk") as api:
                assert dir(api) == ["HelloRPC", "hello_rpc"]

    bounded(main)


def test_a_segment_says_what_it_has() -> None:
    """Its own address has its name at the end, and so have its paths: once is enough."""
    segment = {**HELLO, "segmentName": "admin"}

    async def main() -> None:
        files = Files({"/api/admin/_schema_": {"schema": segment}})
        async with listening(files) as url, connected(f"{url}/api/admin") as api:
            with pytest.raises(kk.RemoteError):
                await api.HelloRPC.getGreeting(params={"id": 1})
            assert files.asked[-1].startswith("GET /api/admin/hello/greeting/1 ")

    bounded(main)


@pytest.mark.parametrize("answer", [None, {}, [], {"schema": 1}, "text"])
def test_an_address_that_says_nothing(answer: Any) -> None:
    async def main() -> None:
        async with listening(Files({"/api/_schema_": answer})) as url:
            with pytest.raises(kk.UsageError, match="name it: protocol='classic'") as caught:
                await kk.aconnect(f"{url}/api?key={SECRET}")
            assert "schema='.vovk-schema'" in str(caught.value)
            assert SECRET not in str(caught.value)
            with pytest.raises(kk.UsageError, match="does not offer its schema"):
                await kk.aconnect(f"{url}/api", protocol="vovk")

    bounded(main)
    assert kk.status().connections == ()


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("/nowhere/at/all", "No such file"),
        (1, "schema must be a .vovk-schema folder"),
        ({"openapi": "3.1.0"}, "an OpenAPI document"),
        ({"config": {}}, "no controllers in it"),
        ({}, "no controllers in it"),
    ],
)
def test_schemas_that_are_none(schema: Any, text: str) -> None:
    with pytest.raises(kk.UsageError, match=text):
        kk.connect("http://127.0.0.1:9/api", schema=schema)
    assert kk.status().connections == ()


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "two", {"a.json": HELLO, "b.json": HELLO})
    for name, text in (
        ("bad.json", "bad.json is not JSON"),
        ("empty", "no JSON files in"),
        ("two", "the segment '' is in a.json, too"),
    ):
        with pytest.raises(kk.UsageError, match=text):
            kk.connect("http://127.0.0.1:9/api", schema=tmp_path / name)


def test_addresses_without_a_schema() -> None:
    async def main() -> None:
        async with listening(Files({"/bad.json": "text"})) as url:
            for path, text in (
                ("gone.json", "HTTP 404; no schema there"),
                ("folder", "HTTP 404; no schema there"),
                ("bad.json", "must be an object"),
            ):
                with pytest.raises(kk.UsageError, match=text):
                    await kk.aconnect(f"{url}/api", schema=f"{url}/{path}?key={SECRET}")
            with pytest.raises(kk.ConnectError, match="connection refused"):
                await kk.aconnect(f"{url}/api", schema="http://127.0.0.1:9/root.json")

    bounded(main)
    io_loop().flush(1)
    assert kk.status().connections == ()


@pytest.mark.parametrize("validate", [True, False])
def test_what_checks_is_loaded_while_it_connects(
    validate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its import takes a second beside JupyterLab, and the first call must not wait for that."""
    loaded = []
    monkeypatch.setattr(vovk_session, "load_library", lambda: loaded.append("loaded"))

    async def main() -> None:
        async with (
            listening(Files({})) as url,
            connected(
                f"{url}/api", schema={"meta": META, "segments": {"": ROOT}}, validate=validate
            ),
        ):
            assert loaded == (["loaded"] if validate else [])

    bounded(main)
