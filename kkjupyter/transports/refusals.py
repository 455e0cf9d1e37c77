"""Tells who refused a connection: the server, or a Jupyter server or JupyterHub in front of it.

Behind jupyter-server-proxy a client meets two that want a token. Jupyter answers for itself with
headers of its own, which it leaves out of what it passes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["GetAll", "in_front", "refusal_reason", "said_by_server"]

GetAll = Callable[[str], Sequence[str]]
"""All values of a header."""

_SAID_BYTES = 300
# How a kkjupyter server begins when it says why: a limit, its name, the origin of a page.
_TEXTS = ("the server's limit ", "this server does not answer ", "pages of ")


def in_front(get_all: GetAll) -> str:
    """What stands in front of a server, by the headers of an answer; empty if nothing is known."""
    if get_all("X-JupyterHub-Version"):
        return "JupyterHub"
    if any("/api/security/csp-report" in value for value in get_all("Content-Security-Policy")):
        return "the Jupyter server"
    return ""


def refusal_reason(status: int, front: str, body: bytes | bytearray | None) -> str:
    """Why an answer refuses a client, and what to do, as the end of a sentence.

    Args:
        status: of the answer.
        front: what has answered in the place of the server; see :func:`in_front`.
        body: the beginning of its text.

    Returns:
        The reason; empty if the answer is not a refusal.
    """
    is_login = bool(front) and 300 <= status < 400
    if status not in (401, 403) and not is_login:
        return ""
    if front:
        stopped = " (or does not run the server that is asked for)" if is_login else ""
        return (
            f"HTTP {status}: {front} in front of the endpoint wants a (different) token of its "
            f"own{stopped}; pass that one as headers={{'Authorization': 'token ...'}}, or as "
            "--header 'Authorization: env:NAME' in a magic or a shell; token= is for the endpoint"
        )
    if said := said_by_server(body):
        return f"HTTP {status}: {said}"
    return (
        f"HTTP {status}: the server wants a (different) token; "
        "pass token=..., or --token-env NAME in a magic or a shell"
    )


def said_by_server(body: bytes | bytearray | None) -> str:
    """The text of a kkjupyter server that says why; else empty."""
    text = bytes(body or b"")[:_SAID_BYTES].decode(errors="replace").strip()
    return text if text.startswith(_TEXTS) and text.isprintable() else ""
