"""Finds what docstrings refer to by its short name, and leaves the names of other projects alone.

The docstrings write :class:`Call` where they stand beside it; the site shows it as
``kkjupyter.calls.call.Call``. A name of ours that is found nowhere is an error.
"""

from __future__ import annotations

import re
from typing import Any

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

VOVK = "kkjupyter.vovk"
UNPACKED = re.compile(r"Unpack\[(\w+)\]")


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: Element
) -> Element | None:
    """A link to the one object of ours whose name ends in the one asked for."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    target = node["reftarget"]
    found = [name for name in domain.objects if name.endswith(f".{target}")]
    if len(found) > 1:  # kkjupyter.vovk has a serve and a get of its own
        is_vovk = (node.get("py:module") or "").startswith(VOVK)
        found = [name for name in found if name.startswith(VOVK) == is_vovk]
    if len(found) > 1:  # a function of the package, and a method of the same name
        found = [name for name in found if name.count(".") == 1] or found
    if len(found) != 1:
        # An attribute stands in its class's list, which has no anchor for each.
        return contents if node["reftype"] == "attr" or _is_type_hint(node) else None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, contents)


def qualify(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, result: Any
) -> tuple[str, Any] | None:
    """Say in a signature which ``ServeOptions`` is meant: there are two of that name."""

    def full_name(match: re.Match[str]) -> str:
        return f"Unpack[~{obj.__globals__[match[1]].__module__}.{match[1]}]"

    if signature is None or not UNPACKED.search(signature):
        return None
    return UNPACKED.sub(full_name, signature), result


def _is_type_hint(node: pending_xref) -> bool:
    # In signatures: types of Python and of other projects, and internal ones of ours.
    return node.get("refexplicit") is not True and "refwarn" not in node


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-signature", qualify)
    return {"parallel_read_safe": True}
