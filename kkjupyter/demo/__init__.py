"""A small endpoint to try things on: countdowns, rows, a file watcher, a toy language model.

``kk.demo()`` and ``%rpc connect demo as api`` serve the object that :func:`make_api` makes. It is
ordinary Python, and meant to be read: everything that an object has under a public name can be
called from a notebook, and async generators are streamed.
"""

from __future__ import annotations

import sys
from types import ModuleType

from kkjupyter.api.functions import serve
from kkjupyter.demo.api import DemoApi
from kkjupyter.server.server import Server

__all__ = ["demo", "make_api"]


def make_api() -> DemoApi:
    """Make a new demo object; each has its own settings and watchers."""
    return DemoApi()


def demo() -> Server:
    """Serve a new demo object on a free loopback port: ``api = kk.demo().connect()``.

    Clients may set its ``settings``, and see the tracebacks of its methods' errors.

    Raises:
        ConnectError: there is no free port.
    """
    return serve(make_api(), writable=["settings"], debug=True)


class _CallableModule(ModuleType):
    """Keeps ``kk.demo()`` working after this package is imported.

    Importing ``kkjupyter.demo`` makes Python bind the name ``demo`` in ``kkjupyter`` to the
    package, in place of the function of that name.
    """

    def __call__(self) -> Server:
        return demo()


sys.modules[__name__].__class__ = _CallableModule
