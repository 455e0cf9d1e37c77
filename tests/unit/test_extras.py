"""What a plain ``pip install kkjupyter`` leaves out: everything else works, and what needs it says
which extra brings it.

Each test runs in a fresh interpreter that finds none of these libraries.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kkjupyter.errors import UsageError
from kkjupyter.extras import is_installed, load_extra

EXTRAS = {
    "demo": {"nbformat", "watchfiles"},
    "nats": {"nats-py"},
    "plot": {"matplotlib"},
    "redis": {"redis"},
    "vovk": {"jsonschema"},
}
LEFT_OUT = {"PIL", "nats", *(library for libraries in EXTRAS.values() for library in libraries)}
HIDE = f"import sys\nfor name in {sorted(LEFT_OUT)}: sys.modules[name] = None\n"


def without_extras(code: str) -> str:
    """What ``code`` prints, and logs, where no extra is installed."""
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", HIDE + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_metadata_have_each_library_in_its_extra_only() -> None:
    by_extra: dict[str, set[str]] = {}
    for line in importlib.metadata.requires("kkjupyter") or ():
        name = re.match(r"[\w-]+", line)
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        assert name, line
        by_extra.setdefault(extra[1] if extra else "", set()).add(name[0].lower())
    for extra, libraries in EXTRAS.items():
        assert by_extra[extra] == libraries
    assert by_extra[""] & {"pillow", *LEFT_OUT} == set()


def test_what_is_not_there_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not is_installed("matplotlib")
    with pytest.raises(UsageError) as caught:
        load_extra("matplotlib.figure", "plot", "A picture")
    assert str(caught.value) == (
        "A picture needs matplotlib, which is not installed: pip install 'kkjupyter[plot]'"
    )
    monkeypatch.setitem(sys.modules, "json.broken", None)
    with pytest.raises(UsageError, match=r"needs json, which cannot be imported \(.*json.broken"):
        load_extra("json.broken", "plot", "A picture")
    assert load_extra("json.decoder", "plot", "A picture").JSONDecoder


def test_a_plot_is_saved_as_text_and_its_points_without_matplotlib() -> None:
    said = without_extras(
        """
        from kkjupyter.notebook.run_status import Status
        from kkjupyter.notebook.views import make_view
        view = make_view("plot")
        view.feed([{"t": n, "height": n * n} for n in range(9)])
        view.finish()
        bundle = view.bundle(Status(3, "f()", "done", "stream", 2, 1.0, 0.1))
        print(sorted(bundle))
        print(bundle["text/plain"])
        print("height: " in bundle["text/html"], "<img" in bundle["text/html"])
        print('[8,64]' in bundle["application/vnd.kkjupyter.v1+json"]["source"])
        """
    )
    assert "['application/vnd.kkjupyter.v1+json', 'text/html', 'text/plain']" in said
    assert re.search(r"height: [▁-█]+  min 0, max 64, last 64", said)
    assert said.endswith("True False\nTrue\n")


def test_the_demo_endpoint_works_and_its_watcher_names_the_extra() -> None:
    said = without_extras(
        """
        import kkjupyter as kk
        with kk.demo() as server:
            api = server.connect()
            print(api.countdown(2, pause_s=0).result())
            try:
                api.watchFiles(".").result()
            except kk.RemoteError as error:
                print(error.name, error.message)
            print(api.openWatchers().result())
        """
    )
    assert "[2, 1, 0]\n" in said
    assert (
        "UsageError watchFiles needs watchfiles, which is not installed: "
        "pip install 'kkjupyter[demo]'\n0\n"
    ) in said


def test_a_notebook_in_the_terminal_names_the_extra(tmp_path: Path) -> None:
    said = without_extras(
        f"""
        from kkjupyter.cli import main
        print(main(["demo", "--headless", "--dir", {str(tmp_path)!r}]))
        """
    )
    assert (
        "kkjupyter demo --headless needs nbformat, which is not installed: "
        "pip install 'kkjupyter[demo]'"
    ) in said
    assert said.endswith("\n2\n")


@pytest.mark.parametrize("bus", ["nats", "redis"])
def test_an_address_on_a_bus_names_the_extra(bus: str) -> None:
    said = without_extras(
        f"""
        import kkjupyter as kk
        url = "{bus}://127.0.0.1:1/lab.models"
        for use in (lambda: kk.connect(url), lambda: kk.serve({{}}, on=url)):
            try:
                use()
            except kk.UsageError as error:
                print(error)
        """
    )
    assert said == 2 * (
        f"a {bus}:// address needs {bus}, which is not installed: pip install 'kkjupyter[{bus}]'\n"
    )


def test_vovk_calls_go_unchecked_with_one_warning_unless_checks_are_asked_for() -> None:
    said = without_extras(
        """
        import logging
        from typing import Any
        import kkjupyter as kk
        from kkjupyter import vovk

        class Echo(vovk.Controller):
            @vovk.post.auto()
            async def say(self, req: vovk.Request[dict[str, int], Any, Any]) -> Any:
                return await req.json()

        def tell(make_call):
            try:
                print("VALUE", make_call().result())
            except kk.KKError as error:
                print(type(error).__name__, error)

        logging.basicConfig(format="LOG %(message)s")
        with vovk.serve([Echo], token=False) as server:
            api = kk.connect(server.url, schema=server.schema)
            tell(lambda: api.Echo.say(body={"n": "x"}))
            tell(lambda: api.Echo.say(body={"n": 1}))
            tell(lambda: api.Echo.say(body={"n": 2}, validate=False))
            tell(lambda: api.Echo.say(body={"n": 3}, validate=True))
            tell(lambda: kk.connect(server.url, schema=server.schema, validate=True))
            api = kk.connect(server.url, schema=server.schema, validate=False)
            tell(lambda: api.Echo.say(body={"n": 4}))
        """
    )
    lines = said.splitlines()
    refused = (
        "UsageError validate=True needs jsonschema, which is not installed: "
        "pip install 'kkjupyter[vovk]'"
    )
    log = [line for line in lines if line.startswith("LOG")]
    assert len(log) == 1
    assert "are sent unchecked, because jsonschema is not installed; pip install" in log[0]
    told = [line for line in lines if not line.startswith("LOG")]
    assert told[0].startswith("RemoteError"), told  # the server has looked at it
    assert told[1:] == ["VALUE {'n': 1}", "VALUE {'n': 2}", refused, refused, "VALUE {'n': 4}"]
