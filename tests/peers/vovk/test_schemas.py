"""Where our client gets its schema from, with real servers at the other end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.vovk.apps import NEW, OLD, App, NextServer
from support.waiting import until

import kkjupyter as kk


@pytest.fixture(scope="module")
def in_development() -> Iterator[NextServer]:
    """3.7.0 answers ``_schema_`` in development only."""
    with NextServer(NEW, "dev") as running:
        yield running


def test_a_server_in_development_is_asked(in_development: NextServer) -> None:
    with kk.connect(in_development.url) as api:
        assert "HelloRPC" in dir(api)
        call = api.HelloRPC.streamTokens(body={"hello": "world"})
        assert [token["message"] for token in call] == ["Hello,", " World", "!"]
        # One segment answers; the others have addresses of their own.
    with kk.connect(f"{in_development.url}/admin") as api:
        assert list(api.AdminRPC.ticks()) == [0, 1, 2]


def test_an_address_is_asked(in_development: NextServer) -> None:
    with kk.connect(in_development.url, schema=f"{in_development.url}/_schema_") as api:
        assert list(api.StreamsRPC.fromSync()) == [{"i": 0}, {"i": 1}, {"i": 2}]


def test_our_copy_is_what_the_server_says(in_development: NextServer) -> None:
    """The tests go by the files that are kept with the application."""
    from urllib.request import urlopen

    for segment, name in (("", "root.json"), ("/admin", "admin.json")):
        with urlopen(f"{in_development.url}{segment}/_schema_", timeout=30) as reply:
            said = json.load(reply)["schema"]
        assert said == json.loads((NEW.schema_path / name).read_text())


def test_our_copy_of_the_metadata_is_what_the_server_writes(tmp_path: Path) -> None:
    file = tmp_path / "vovk-metadata.json"
    with (
        NextServer(OLD, env={"METADATA_FILE": str(file)}) as server,
        kk.connect(server.url, schema=OLD.schema_path) as api,
    ):
        api.StreamsController.diary(query={"id": "none"}).result()  # has it load its controllers

        def written() -> Any:
            try:
                return json.loads(file.read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                return None

        until(written, 10)
        assert written() == OLD.schema()


@pytest.mark.parametrize("shape", ["path", "text", "parsed"])
def test_files(server: NextServer, app: App, shape: str) -> None:
    sources: dict[str, Any] = {
        "path": app.schema_path,
        "text": str(app.schema_path),
        "parsed": app.schema(),
    }
    with kk.connect(server.url, schema=sources[shape]) as api:
        call = api[f"Hello{app.suffix}"].streamTokens(body={"hello": "world"})
        assert len(list(call)) == 3
        snake_case = api[f"Replies{app.suffix}"].plain_text
        assert snake_case().result() == "just a text"


def test_a_server_in_production_says_nothing(server: NextServer) -> None:
    with pytest.raises(kk.KKError, match="schema="):
        kk.connect(server.url)
