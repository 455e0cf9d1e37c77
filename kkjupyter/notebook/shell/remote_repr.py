"""A Remote as the last line of a cell: its address, and how to call it."""

from __future__ import annotations

import html
import inspect
import keyword
from typing import Any

from kkjupyter.client.remote import Remote, RemoteInfo, describe
from kkjupyter.notebook.safe_text import whole
from kkjupyter.plaintext import undirected

__all__ = ["group_cure", "name_of", "remote_html", "remote_text"]

_METHODS_SHOWN = 12


def name_of(remote: Remote, shell: Any = None) -> str:
    """The variable that holds the connection of ``remote``, and its path: ``"api.math.add"``."""
    info = describe(remote)
    root = "api"
    for name, value in (getattr(shell, "user_ns", None) or {}).items():
        if isinstance(value, Remote) and not name.startswith("_"):
            other = describe(value)
            if other.url == info.url and not other.path:
                root = str(name)
                break
    return root + "".join(map(_step, info.path))


def _step(part: str) -> str:
    """One more part of a path in Python code."""
    is_plain = part.isidentifier() and not part.startswith("_") and not keyword.iskeyword(part)
    return f".{part}" if is_plain else f"[{part!r}]"


def _rows(remote: Remote, shell: Any) -> list[tuple[str, str]]:
    info = describe(remote)
    name = name_of(remote, shell)
    rows = [
        ("address", info.url),
        ("protocol", f"{info.protocol}, {info.codec}"),
        ("state", info.state),
    ]
    below = _below(info)
    if below:
        more = f", ... {len(below) - _METHODS_SHOWN} more" if len(below) > _METHODS_SHOWN else ""
        rows.append(("methods", ", ".join(map(_name, below[:_METHODS_SHOWN])) + more))
    if info.state == "closed":
        return [*rows, ("to go on", "connect again: %rpc connect URL as NAME, or kk.connect(...)")]
    if info.path and not below:
        if info.protocol == "vovk":
            return [*rows, ("to call it", f"{name}{_arguments(remote)}")]
        return [*rows, ("to call it", f"{name}(...)"), ("to read it", f"await {name}")]
    # By convention on both sides, a class name begins with a capital letter.
    methods = [method for method in below if not method.rpartition(".")[2][:1].isupper()]
    example = f"{name}.{_name((methods or ['method'])[0])}(...)"
    return [*rows, ("to call", f"%rpc {example}  or  await {example}")]


def _arguments(remote: Remote) -> str:
    """The required arguments of a handler, by name."""
    parameters = inspect.signature(remote).parameters.values()
    needed = [f"{one.name}=..." for one in parameters if one.default is inspect.Parameter.empty]
    return f"({', '.join([*needed, '...'])})"


def _below(info: RemoteInfo) -> list[str]:
    """The methods known to exist below a path."""
    prefix = "".join(f"{part}." for part in info.path)
    return [name.removeprefix(prefix) for name in info.methods if name.startswith(prefix)]


def group_cure(remote: Remote, name: str) -> str | None:
    """The error for a group of methods that is used like one; None if it is not a known group."""
    below = _below(describe(remote))
    if not below:
        return None
    shown = ", ".join(f"{name}.{_name(method)}" for method in below[:_METHODS_SHOWN])
    more = f" and {len(below) - _METHODS_SHOWN} more" if len(below) > _METHODS_SHOWN else ""
    return f"{name} is a group of methods and cannot be called:  {shown}{more}"


def _kind(info: RemoteInfo) -> str:
    if not info.path:
        return "connection"
    if _below(info):
        return "remote group"
    return "remote method" if info.protocol == "vovk" else "remote method or property"


def remote_text(remote: Remote, shell: Any = None) -> str:
    """The card as text."""
    rows = _rows(remote, shell)
    width = max(len(label) for label, _ in rows)
    lines = [f"  {label:<{width}}  {value}" for label, value in rows]
    return "\n".join([f"{name_of(remote, shell)}: {_kind(describe(remote))}", *lines])


def remote_html(remote: Remote, shell: Any = None) -> str:
    """The card as HTML that survives an untrusted notebook: inline style, no script."""
    cells = "".join(
        '<tr><td style="text-align:left;padding-right:1.5em;'
        f'color:var(--jp-ui-font-color2, inherit)">{html.escape(label)}</td>'
        f'<td style="text-align:left"><code>{html.escape(value)}</code></td></tr>'
        for label, value in _rows(remote, shell)
    )
    title = html.escape(name_of(remote, shell))
    return f'<div><b>{title}</b></div><table style="margin:0.3em 0 0 0">{cells}</table>'


def _name(name: str) -> str:
    """A name of the peer's with all its characters visible, so that it differs from others."""
    return undirected(whole(name))
