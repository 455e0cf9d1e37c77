"""The rooms and their arrows: an import drawn backwards fails here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kkjupyter

PACKAGE = Path(next(iter(kkjupyter.__path__)))

# room -> the rooms it may import. "" is kkjupyter/__init__.py, which holds the public names.
ARROWS: dict[str, set[str]] = {
    "plaintext": set(),
    "errors": {"plaintext"},
    "wire": {"plaintext", "errors"},
    "transports": {"plaintext", "errors"},
    "rpc": {"plaintext", "errors", "wire", "transports"},
    "vovk": {"plaintext", "errors", "wire", "transports", "rpc"},
    "demo": {"errors", "wire", "rpc", ""},
    # demo: `%rpc connect demo` starts it
    "notebook": {"plaintext", "errors", "wire", "rpc", "demo", ""},
    "cli": {"plaintext", "errors", "wire", "rpc", "demo", ""},
    "__main__": {"cli"},
    "": {"errors", "wire", "transports", "rpc", "vovk", "demo", "notebook"},
}
# The only modules of rpc/ that see wire/ and transports/ both.
JOINERS = {
    *{"rpc.arrivals", "rpc.channel", "rpc.detection", "rpc.exchange", "rpc.session"},
    *{"rpc.vovk_exchange", "rpc.vovk_session"},
}
NOTEBOOK_ONLY = {"IPython", "ipykernel", "ipywidgets", "anywidget"}
NOT_IN_WIRE = {
    *NOTEBOOK_ONLY,
    *{"asyncio", "threading", "_thread", "concurrent", "multiprocessing", "queue", "contextvars"},
    *{"socket", "select", "selectors", "ssl", "subprocess", "signal", "time", "sched"},
    *{"websockets", "aiohttp", "anyio", "httpx", "tornado", "zmq"},
}


def imported(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """The absolute dotted name of everything ``source`` imports, wherever in it that stands."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, node.module] if node.module else base
            # The names count, too: `from kkjupyter import wire` imports a room.
            yield from (".".join([*base, alias.name]) for alias in node.names)


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of ``module`` ("kkjupyter.wire.classic"), in words."""
    inner = module.removeprefix("kkjupyter").removeprefix(".")
    room = inner.split(".")[0]
    found: list[str] = []
    seen: set[str] = set()
    for name in imported(source, module, is_package=is_package):
        top, _, rest = name.partition(".")
        if top == "kkjupyter":
            target = rest.split(".")[0]
            target = target if target in ARROWS else ""
            seen.add(target)
            if target != room and target not in ARROWS[room]:
                found.append(f"{module} imports {name}: no arrow {room} -> {target or 'kkjupyter'}")
        elif top in NOTEBOOK_ONLY and room != "notebook":
            found.append(f"{module} imports {name}: only notebook/ may")
        elif top == "signal" and room in ("rpc", "vovk"):
            found.append(f"{module} imports {name}: a program's signal handlers are its own")
        elif top in NOT_IN_WIRE and room == "wire":
            found.append(f"{module} imports {name}: wire/ does no I/O and knows no clock")
    if room == "rpc" and {"wire", "transports"} <= seen and inner not in JOINERS:
        found.append(f"{module} sees wire and transports: only {', '.join(sorted(JOINERS))} may")
    return found


def module_name(path: Path) -> str:
    parts = ["kkjupyter", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# What travels along with the notebooks is the user's own code, which may import anything.
MODULES = {
    module_name(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.is_relative_to(PACKAGE / "notebooks")
}


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    assert violations(source, module, is_package=path.name == "__init__.py") == []


def test_every_room_has_a_row() -> None:
    rooms = {module.split(".")[1] if "." in module else "" for module in MODULES}
    assert rooms <= set(ARROWS)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kkjupyter.wire.classic", "import asyncio"),
        ("kkjupyter.wire.classic", "def f():\n    from time import monotonic"),
        ("kkjupyter.wire.classic", "from ..rpc.call import Call"),
        ("kkjupyter.wire.classic", "from kkjupyter import transports"),
        ("kkjupyter.wire.classic", "import kkjupyter"),
        ("kkjupyter.transports.base", "from kkjupyter.wire import events"),
        ("kkjupyter.rpc.call", "from ..notebook import live"),
        ("kkjupyter.rpc.call", "import IPython.display"),
        ("kkjupyter.rpc.waiting", "import signal"),
        ("kkjupyter.rpc.call", "from ..wire import events\nfrom ..transports import base"),
        ("kkjupyter.cli", "from .notebook.live import show"),
    ],
)
def test_a_backward_arrow_is_found(module: str, source: str) -> None:
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kkjupyter.wire.classic", "from .events import Item\nfrom ..errors import KKError"),
        ("kkjupyter.rpc.channel", "from ..wire import events\nfrom ..transports import base"),
        ("kkjupyter.notebook.live", "import IPython\nfrom ..rpc.call import Call"),
    ],
)
def test_a_forward_arrow_passes(module: str, source: str) -> None:
    assert violations(source, module) == []
