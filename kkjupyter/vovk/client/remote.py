"""A name in a Vovk schema, written as attributes: ``api.HelloRPC.streamTokens``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from kkjupyter.calls.unresolved import NoSuchAttribute
from kkjupyter.client.remote import Remote
from kkjupyter.errors import UsageError
from kkjupyter.vovk.client.caller import VovkCaller
from kkjupyter.vovk.client.handler_docs import group_doc, handler_doc, handler_signature
from kkjupyter.wire.vovk.schema.model import Handler

__all__ = ["VovkRemote"]


class VovkRemote(Remote):
    # No docstring: an instance has the docstring of its handler.
    __slots__ = ()

    def __getattr__(self, name: str) -> Remote:
        if name.startswith("_"):
            return super().__getattr__(name)
        return self[name]

    def __getitem__(self, name: str) -> Remote:
        session = _session(self)
        if isinstance(name, str) and name not in session.names.below(self._kk_path):
            try:
                session.names.find((*self._kk_path, name))
            except UsageError as error:
                raise NoSuchAttribute(str(error)) from None
        return VovkRemote(session, super().__getitem__(name)._kk_path)

    def __dir__(self) -> list[str]:
        return [name for name in _session(self).names.below(self._kk_path) if name.isidentifier()]

    @property
    def __signature__(self) -> inspect.Signature:
        handler = _handler(self)
        if handler is None:
            raise AttributeError(f"{self!r} is not a method")
        return handler_signature(handler)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        handler = _handler(self)
        if handler is not None:
            return handler_doc(handler)
        return group_doc(".".join(("api", *self._kk_path)), _below(self))


def _session(remote: Remote) -> VovkCaller:
    session = remote._kk_session
    assert isinstance(session, VovkCaller)
    return session


def _handler(remote: Remote) -> Handler | None:
    """The handler of a remote name, if it is a method."""
    try:
        return _session(remote).names.find(remote._kk_path)
    except UsageError:
        return None


def _below(remote: Remote) -> Iterator[tuple[str, Handler]]:
    """The methods below a remote name, with their paths from there."""
    session = _session(remote)
    prefix = "".join(f"{part}." for part in remote._kk_path)
    for method in session.methods:
        if method.startswith(prefix):
            yield method.removeprefix(prefix), session.names.find(method.split("."))
