"""What an import loads: what is not used is not paid for.

Each test that says what is loaded asks a fresh interpreter. How long it takes is measured by
``benchmarks/imports.py``.
"""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import kkjupyter

HEAVY = {
    *{"aiohttp", "asyncio", "jsonschema", "msgspec", "ssl", "urllib.request", "websockets"},
    *{"IPython", "anywidget", "ipykernel", "ipywidgets", "traitlets", "zmq"},
    *{"PIL", "markdown_it", "matplotlib", "nbformat", "numpy", "pandas", "pydantic", "pygments"},
    "watchfiles",
}
# What every import of the package loads of it.
FACE = {
    *{"kkjupyter", "kkjupyter.errors", "kkjupyter.plaintext"},
    *{"kkjupyter.runtime", "kkjupyter.runtime.hooks"},
}
SHELL = (
    "from IPython.core.interactiveshell import InteractiveShell\n"
    "shell = InteractiveShell.instance()\n"
    "def run(code):\n"
    "    result = shell.run_cell(code)\n"
    "    result.raise_error()\n"
)
"""A shell without a history's file, in which ``run`` runs a cell; what that raises is raised."""


def loaded_by(code: str, *, after: str = "") -> set[str]:
    """The modules that ``code`` loads in a fresh interpreter, besides those that ``after`` does."""
    program = (
        f"import json, sys, threading\n{after}\n"
        f"before, threads = {{*sys.modules}}, threading.active_count()\n{code}\n"
        "print()\nprint(json.dumps([*{*sys.modules} - before]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def own(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "kkjupyter"}


# ---- the package


def test_an_import_loads_the_names_and_nothing_that_takes_its_time() -> None:
    loaded = loaded_by("import kkjupyter\nassert threading.active_count() == threads")
    assert loaded & HEAVY == set()
    assert own(loaded) == FACE


def test_a_name_that_is_not_there_is_looked_for_without_an_import() -> None:
    code = (
        "import kkjupyter\n"
        "for name in ('nothing', '_ipython_display_', '__wrapped__', 'rpcs'):\n"
        "    assert not hasattr(kkjupyter, name), name\n"
    )
    assert own(loaded_by(code)) == FACE
    with pytest.raises(AttributeError, match="module 'kkjupyter' has no attribute 'nothing'"):
        kkjupyter.nothing  # noqa: B018


def test_an_error_and_a_value_load_no_connections() -> None:
    loaded = loaded_by("import kkjupyter\nkkjupyter.UsageError, kkjupyter.Map()")
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", ["connect", "serve", "status", "trace", "Map", "context"])
def test_a_script_pays_for_no_notebook_and_no_http(name: str) -> None:
    loaded = loaded_by(
        f"import kkjupyter\nkkjupyter.{name}\nassert threading.active_count() == threads"
    )
    used = {"asyncio", "msgspec", "ssl", "urllib.request", "websockets"}
    assert loaded & (HEAVY - used) == set()
    others = (
        "kkjupyter.notebook",
        "kkjupyter.vovk.server",
        "kkjupyter.vovk.client.caller",
        "kkjupyter.demo",
    )
    assert {module for module in loaded if module.startswith(others)} == set()


def test_every_public_name_is_listed_before_it_is_loaded_and_can_be_had() -> None:
    code = (
        "import kkjupyter\n"
        "assert {*kkjupyter.__all__} <= {*dir(kkjupyter)}, dir(kkjupyter)\n"
        "names = {}\n"
        "exec('from kkjupyter import *', names)\n"
        "assert {*kkjupyter.__all__} <= {*names}\n"
        "assert all(names[name] is not None for name in kkjupyter.__all__)\n"
    )
    assert "kkjupyter.notebook.show.show" in loaded_by(code)


def test_a_name_is_looked_up_once() -> None:
    for name in kkjupyter.__all__:
        getattr(kkjupyter, name)
        assert name in vars(kkjupyter)


def test_what_is_loaded_later_is_what_type_checkers_and_editors_see() -> None:
    tree = ast.parse(Path(kkjupyter.__file__).read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )
    seen: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            is_module = node.module == "kkjupyter"
            home = f"kkjupyter.{alias.name}:" if is_module else f"{node.module}:{alias.name}"
            seen[alias.asname or alias.name] = home
    assert seen == kkjupyter._HOMES
    raised = {name for name, value in vars(kkjupyter).items() if _is_error(value)}
    assert sorted([*seen, *raised]) == sorted(kkjupyter.__all__)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, kkjupyter.KKError)


def test_every_public_function_and_class_is_explained() -> None:
    for name in kkjupyter.__all__:
        value = getattr(kkjupyter, name)
        if callable(value):
            assert inspect.getdoc(value), f"kkjupyter.{name} has no docstring"


def test_demo_can_be_called_however_it_was_imported() -> None:
    code = (
        "import kkjupyter\n"
        "for use in ('first', 'second'):\n"
        "    with kkjupyter.demo() as server:\n"
        "        assert server.url.startswith('ws://127.0.0.1:')\n"
        "import kkjupyter.demo as module\n"
        "module.make_api()\n"
    )
    assert "kkjupyter.demo" in loaded_by(code)


# ---- the extension


def test_loading_the_extension_loads_what_it_puts_into_the_shell_and_no_more() -> None:
    loaded = loaded_by("run('%load_ext kkjupyter')", after=SHELL)
    # IPython and the front ends of it have asyncio and what it loads; the rest is ours to avoid.
    assert loaded & (HEAVY - {"asyncio", "ssl", "IPython"}) == set()
    rooms = (
        "wire",
        "transports",
        "vovk",
        "demo",
        "notebook.views",
        "notebook.magic.commands",
        "api",
    )
    here = tuple(f"kkjupyter.{room}" for room in rooms)
    fair = {"kkjupyter.transports", "kkjupyter.transports.fairness"}  # how long a turn on a loop is
    assert {name for name in loaded if name.startswith(here)} - fair == set()


def test_cells_that_make_no_call_load_no_more_either() -> None:
    code = (
        "run('1 + 1')\n"
        "run('%time 1 + 1')\n"
        "run('%timeit -n1 -r1 1 + 1')\n"
        "run('%%capture\\nprint(1)')\n"
        "run('kkjupyter.UsageError')\n"
        "shell.complete('', 'import o', 8)\n"
    )
    after = f"{SHELL}run('%load_ext kkjupyter')\nrun('import kkjupyter')"
    assert own(loaded_by(code, after=after)) == set()


def test_after_a_connection_the_first_call_loads_nothing() -> None:
    """It would wait for that, with its first items, and ``%time`` would count it."""
    after = (
        f"{SHELL}"
        "run('%load_ext kkjupyter')\n"
        "run('import kkjupyter')\n"
        "run('server = kkjupyter.serve({\"highest\": max})')\n"
        "assert 'kkjupyter.notebook.show.watched' not in sys.modules\n"
        "run('api = server.connect()')\n"
    )
    code = (
        "run('api.highest(1, 2)')\n"
        "assert shell.user_ns['_'] == 2\n"
        "run('%time api.highest(1, 2)')\n"
        "run('server.close()')\n"
    )
    assert own(loaded_by(code, after=after)) == set()


def test_in_a_terminal_a_call_is_shown_without_widgets() -> None:
    code = (
        "run('%load_ext kkjupyter')\n"
        "run('%rpc connect demo as api')\n"
        "run('%rpc api.countdown(2)')\n"
        "run('%rpc close api')\n"
    )
    loaded = loaded_by(code, after=SHELL)
    assert "kkjupyter.notebook.magic.commands" in loaded
    assert loaded & {"ipywidgets", "anywidget", "aiohttp", "jsonschema", "matplotlib"} == set()
