"""kkjupyter: streaming remote calls, live in a notebook cell.

In IPython: ``%load_ext kkjupyter``, ``%rpc connect demo as api``, ``%rpc api.countdown(5)``.
In Python: ``api = kk.connect("ws://127.0.0.1:8765")``, then ``for n in api.countdown(5): ...``.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from kkjupyter.errors import (
    BufferOverflow,
    CallCancelled,
    CallError,
    CallTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    EncodeError,
    KKError,
    MessageTooBig,
    ProtocolError,
    RemoteError,
    RemoteThrow,
    UsageError,
    ValidationError,
)
from kkjupyter.rpc.api import (
    aconnect,
    aset,
    call,
    close,
    connect,
    get,
    new,
    serve,
    set,  # noqa: A004
)
from kkjupyter.rpc.hooks import before_connect
from kkjupyter.rpc.interceptors import current_context as context
from kkjupyter.rpc.limits import ServerLimits
from kkjupyter.rpc.ownership import expose
from kkjupyter.rpc.status import status
from kkjupyter.rpc.trace_api import trace, tracing
from kkjupyter.wire.values import (
    URL,
    BigInt,
    Boxed,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    undefined,
)

if TYPE_CHECKING:
    from kkjupyter import vovk
    from kkjupyter.demo import demo
    from kkjupyter.notebook.comparing import compare
    from kkjupyter.notebook.live import show
    from kkjupyter.notebook.views import View, view

__version__ = "0.1.0"

__all__ = [
    "URL",
    "BigInt",
    "Boxed",
    "BufferOverflow",
    "CallCancelled",
    "CallError",
    "CallTimeout",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "Date",
    "EncodeError",
    "KKError",
    "Map",
    "MessageTooBig",
    "ProtocolError",
    "RegExp",
    "RemoteError",
    "RemoteThrow",
    "ServerLimits",
    "Uint8ClampedArray",
    "UsageError",
    "ValidationError",
    "View",
    "aconnect",
    "aset",
    "call",
    "close",
    "compare",
    "connect",
    "context",
    "demo",
    "expose",
    "get",
    "new",
    "serve",
    "set",
    "show",
    "status",
    "trace",
    "tracing",
    "undefined",
    "view",
    "vovk",
]


def __getattr__(name: str) -> Any:
    # What these bring along is only for those who use them.
    if name == "show":
        from kkjupyter.notebook.live import show

        return show
    if name == "compare":
        from kkjupyter.notebook.comparing import compare

        return compare
    if name == "demo":
        from kkjupyter.demo import demo

        return demo
    if name in ("View", "view"):
        return getattr(importlib.import_module("kkjupyter.notebook.views"), name)
    if name == "vovk":
        return importlib.import_module("kkjupyter.vovk")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _install_if_ipython() -> None:
    """Before the first connect inside IPython: a call may be the last line of a cell."""
    if "IPython" in sys.modules:
        from kkjupyter.notebook import install_if_ipython

        install_if_ipython()


before_connect.append(_install_if_ipython)


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext kkjupyter``."""
    from kkjupyter.notebook import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext kkjupyter``: cancels and closes everything."""
    from kkjupyter.notebook import unload

    unload(ipython)
