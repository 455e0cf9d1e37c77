"""The chapters and their arrows: an import drawn upwards, or in a circle, fails here."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import kkjupyter

PACKAGE = Path(next(iter(kkjupyter.__path__)))

# Bottom to top: each may import what stands before it. A module belongs to the longest of these
# that its name begins with; "" is kkjupyter/__init__.py, which holds the public names. All imports
# count, those in functions and those for types alone, too.
FLOORS = (
    "plaintext",
    "errors",
    "redaction",
    "extras",
    "argument_checks",
    "transports",
    "wire",
    "runtime",
    "limits",
    "bus",
    "calls",
    "traces",
    "validation",
    "connection",
    "client",
    "server",
    "vovk.client",
    "vovk.server",
    "api",
    "vovk",
    "demo",
    "notebook.run_status",
    "notebook.safe_text",
    "notebook.views",
    "notebook.chunks",
    "notebook.shell",
    "notebook.retention",
    "notebook.output",
    "notebook.run",
    "notebook.show",
    "notebook.magic",
    "notebook",
    "",
    "cli",
)
# Neither of these knows of the other, nor of anything but the three files that they may import.
APART = ("transports", "wire")
# The only modules that see bytes move and know what they mean: of wire/ and transports/ both.
JOINERS = {
    "bus.client",
    "bus.kkrpc_peer",
    "client.http.session",
    "client.service",
    "client.session",
    "connection.arrivals",
    "connection.channel",
    "connection.negotiation",
    "vovk.client.exchange",
    "vovk.client.session",
}
NOTEBOOK_ONLY = {"IPython", "ipykernel", "ipywidgets", "anywidget"}
NOT_IN_WIRE = {
    *NOTEBOOK_ONLY,
    *{"asyncio", "threading", "_thread", "concurrent", "multiprocessing", "queue", "contextvars"},
    *{"socket", "select", "selectors", "ssl", "subprocess", "signal", "time", "sched"},
    *{"websockets", "aiohttp", "anyio", "httpx", "tornado", "zmq"},
}


def module_name(path: Path) -> str:
    """Below ``kkjupyter``; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# What travels along with the notebooks is the user's own code, which may import anything.
MODULES = {
    module_name(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.is_relative_to(PACKAGE / "notebooks")
}


def imported(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """The absolute dotted name of everything ``source`` imports, wherever in it that stands."""
    full = ["kkjupyter", *module.split(".")] if module else ["kkjupyter"]
    package = full if is_package else full[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, node.module] if node.module else base
            # The names count, too: `from kkjupyter import wire` imports a chapter.
            yield from (".".join([*base, alias.name]) for alias in node.names)


def floor_of(module: str) -> str:
    return max((f for f in FLOORS if f in ("", module) or module.startswith(f"{f}.")), key=len)


def module_of(name: str) -> str | None:
    """The module of ours that an imported name stands in; None for those of others."""
    top, _, inner = name.partition(".")
    if top != "kkjupyter":
        return None
    while inner not in MODULES:
        inner = inner.rpartition(".")[0]
    return inner


def room_of(module: str) -> str:
    return module.partition(".")[0]


def upward(module: str, targets: set[str]) -> set[str]:
    """Those of ``targets`` that stand above ``module``."""
    height = FLOORS.index(floor_of(module))
    return {target for target in targets if FLOORS.index(floor_of(target)) > height}


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of ``module`` ("wire.events"), in words."""
    names = list(imported(source, module, is_package=is_package))
    targets = {target for name in names if (target := module_of(name)) is not None}
    room = room_of(module)
    found = [
        f"{module} imports {target or 'kkjupyter'}, which stands above it"
        for target in sorted(upward(module, targets))
    ]
    if room in APART:
        found += [
            f"{module} imports {target}: {room}/ knows of nothing but errors"
            for target in sorted(targets)
            if room_of(target) not in (room, "errors", "plaintext", "redaction")
        ]
    for name in names:
        top = name.partition(".")[0]
        if top in NOTEBOOK_ONLY and room != "notebook":
            found.append(f"{module} imports {name}: only notebook/ may")
        elif top == "signal" and room not in ("notebook", "cli", "transports"):
            found.append(f"{module} imports {name}: a program's signal handlers are its own")
        elif top in NOT_IN_WIRE and room == "wire":
            found.append(f"{module} imports {name}: wire/ does no I/O and knows no clock")
    if joins(room, targets) and module not in JOINERS:
        found.append(f"{module} sees wire and transports: only {', '.join(sorted(JOINERS))} may")
    return found


def joins(room: str, targets: set[str]) -> bool:
    return room not in APART and set(APART) <= {room_of(target) for target in targets}


def targets_of(module: str) -> set[str]:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    names = imported(source, module, is_package=path.name == "__init__.py")
    return {target for name in names if (target := module_of(name)) is not None} - {module}


def knots(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The sets of modules that reach each other, by any way; the largest last."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:  # Tarjan's
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for target in graph[module]:
            if target not in numbers:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], numbers[target])
        if lowest[module] == numbers[module]:
            at = stack.index(module)
            found.append(set(stack[at:]))
            del stack[at:]

    for module in graph:
        if module not in numbers:
            visit(module)
    return sorted((knot for knot in found if len(knot) > 1), key=lambda k: (len(k), sorted(k)))


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    assert violations(source, module, is_package=path.name == "__init__.py") == []


def test_every_room_has_a_floor() -> None:
    assert {room_of(module) for module in MODULES} <= {room_of(floor) for floor in FLOORS}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert knots({module: targets_of(module) for module in MODULES}) == []


def test_the_joiners_are_those_that_join() -> None:
    assert {module for module in MODULES if joins(room_of(module), targets_of(module))} == JOINERS


def test_every_folder_says_what_is_in_it() -> None:
    for path in MODULES.values():
        if path.name == "__init__.py":
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert text, path


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("wire.kkrpc.classic.protocol", "import asyncio"),
        ("wire.kkrpc.classic.protocol", "def f():\n    from time import monotonic"),
        ("wire.kkrpc.classic.protocol", "from kkjupyter.runtime.waiting import blocked_wait"),
        ("wire.kkrpc.classic.protocol", "from kkjupyter import transports"),
        ("wire.kkrpc.classic.protocol", "import kkjupyter"),
        ("transports.base", "from kkjupyter.wire import events"),
        ("wire.events", "from kkjupyter.transports import base"),
        ("calls.call", "import IPython.display"),
        ("runtime.waiting", "import signal"),
        ("calls.call", "from ..wire import events\nfrom ..transports import base"),
        ("cli", "import IPython"),
        ("calls.call", "from ..notebook.show.show import show"),
        ("calls.call", "if TYPE_CHECKING:\n    from ..connection.channel import Channel"),
        ("runtime.waiting", "def f():\n    from ..calls.call import Call"),
        ("notebook.views.base", "import kkjupyter as kk"),
    ],
)
def test_a_backward_arrow_is_found(module: str, source: str) -> None:
    assert module in MODULES
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "wire.kkrpc.classic.protocol",
            "from kkjupyter.wire.events import Item\nfrom kkjupyter.errors import KKError",
        ),
        ("connection.channel", "from ..wire import events\nfrom ..transports import base"),
        ("notebook.show.show", "import IPython\nfrom kkjupyter.calls.call import Call"),
        ("wire.kkrpc.classic.protocol", "from ...events import Item"),
    ],
)
def test_a_forward_arrow_passes(module: str, source: str) -> None:
    assert module in MODULES
    assert violations(source, module) == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}
    assert knots(graph) == [{"e", "f"}, {"a", "b", "c"}]
