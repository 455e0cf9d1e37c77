"""Whoever serves something is told what strangers can reach."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk

OWN = """
import os, types

class Tools:
    def __init__(self):
        self.level = 3
        self.folder = os
        self.names = ["a"]
        self._secret = "secret"

    def double(self, n):
        return 2 * n
"""


@dataclasses.dataclass
class Settings:
    theme: str = "light"


class Api:
    def __init__(self) -> None:
        self.settings = Settings()
        self.shell = os.system
        self.twice = functools.partial(self.times, 2)

    def times(self, factor: int, number: int) -> int:
        return factor * number


def test_the_status_lists_what_is_exposed() -> None:
    with kk.serve(Api(), token=False) as server, vovk.serve([Hello]) as other:
        said = repr(kk.status())
        assert f"serving {server.url}: 0 clients, 0 calls" in said
        assert "clients can call: times, twice\n" in said
        assert "clients can read: settings.theme\n" in said
        assert "no token: every program of every user on this machine" in said
        assert f"serving {other.url}" in said
        assert "clients can call: Hello.get" in said
        listed = {one.url: one for one in kk.status().servers}
        assert listed[server.url].callable_names == ("times", "twice")
        assert listed[other.url].open_door == ""
    many = {f"f{number}": len for number in range(50)}
    with kk.serve(many):
        assert "f26, and 30 more" in repr(kk.status())


class Hello(vovk.Controller, prefix="hello"):
    @vovk.get("get")
    async def get(self) -> str:
        return "hello"


def serve(folder: Path, *argv: str) -> tuple[str, str]:
    """What ``kkjupyter serve`` says until it is interrupted: on stdout and on stderr."""
    (folder / "tools.py").write_text(OWN)
    package = Path(next(iter(kk.__path__))).parent
    with (
        (folder / "err").open("w") as err,
        subprocess.Popen(
            [sys.executable, "-m", "kkjupyter.cli", "serve", *argv, "--port", "0"],
            env={**os.environ, "PYTHONPATH": str(package)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        ) as process,
    ):
        until(lambda: "Ctrl-C" in (folder / "err").read_text() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    return out, (folder / "err").read_text()


def test_the_command_lists_what_is_exposed(tmp_path: Path) -> None:
    out, err = serve(tmp_path, "tools.py:Tools")
    assert "clients can call: double\n" in err
    assert "clients can read: level, names\n" in err
    assert "no token" not in out + err
    assert "secret" not in out + err


def test_the_command_says_what_it_means_that_there_is_no_token(tmp_path: Path) -> None:
    _, err = serve(tmp_path, "tools:Tools", "--no-token", "--expose", "folder.getpid")
    assert "clients can call: double, folder.getpid\n" in err
    assert "so can web pages served from this machine" in err
