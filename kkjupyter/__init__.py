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
from kkjupyter.runtime.hooks import before_connect, connect_with

if TYPE_CHECKING:
    from kkjupyter import vovk
    from kkjupyter.api.functions import (
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
    from kkjupyter.api.status import status
    from kkjupyter.api.tracing import trace, tracing
    from kkjupyter.demo import demo
    from kkjupyter.limits import ClientLimits, ServerLimits
    from kkjupyter.notebook.chunks.registry import chunks
    from kkjupyter.notebook.show.compare import compare
    from kkjupyter.notebook.show.show import show
    from kkjupyter.notebook.views import View, view
    from kkjupyter.server.exposed.ownership import expose
    from kkjupyter.server.interceptors import current_context as context
    from kkjupyter.wire.values.javascript import (
        URL,
        BigInt,
        Boxed,
        Date,
        Map,
        RegExp,
        Uint8ClampedArray,
        undefined,
    )

__version__ = "0.1.0"

__all__ = [
    "URL",
    "BigInt",
    "Boxed",
    "BufferOverflow",
    "CallCancelled",
    "CallError",
    "CallTimeout",
    "ClientLimits",
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
    "chunks",
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


# Where the public names are, except the errors: "module:name", or "module:" for the module itself.
# A module is imported when one of its names is used. Importing all of them took longer than
# importing IPython.
_HOMES = {
    "URL": "kkjupyter.wire.values.javascript:URL",
    "BigInt": "kkjupyter.wire.values.javascript:BigInt",
    "Boxed": "kkjupyter.wire.values.javascript:Boxed",
    "ClientLimits": "kkjupyter.limits:ClientLimits",
    "Date": "kkjupyter.wire.values.javascript:Date",
    "Map": "kkjupyter.wire.values.javascript:Map",
    "RegExp": "kkjupyter.wire.values.javascript:RegExp",
    "ServerLimits": "kkjupyter.limits:ServerLimits",
    "Uint8ClampedArray": "kkjupyter.wire.values.javascript:Uint8ClampedArray",
    "View": "kkjupyter.notebook.views:View",
    "aconnect": "kkjupyter.api.functions:aconnect",
    "aset": "kkjupyter.api.functions:aset",
    "call": "kkjupyter.api.functions:call",
    "chunks": "kkjupyter.notebook.chunks.registry:chunks",
    "close": "kkjupyter.api.functions:close",
    "compare": "kkjupyter.notebook.show.compare:compare",
    "connect": "kkjupyter.api.functions:connect",
    "context": "kkjupyter.server.interceptors:current_context",
    "demo": "kkjupyter.demo:demo",
    "expose": "kkjupyter.server.exposed.ownership:expose",
    "get": "kkjupyter.api.functions:get",
    "new": "kkjupyter.api.functions:new",
    "serve": "kkjupyter.api.functions:serve",
    "set": "kkjupyter.api.functions:set",
    "show": "kkjupyter.notebook.show.show:show",
    "status": "kkjupyter.api.status:status",
    "trace": "kkjupyter.api.tracing:trace",
    "tracing": "kkjupyter.api.tracing:tracing",
    "undefined": "kkjupyter.wire.values.javascript:undefined",
    "view": "kkjupyter.notebook.views:view",
    "vovk": "kkjupyter.vovk:",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module_name, _, attribute = home.partition(":")
    module = importlib.import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    # An imported sub-package already has its name here, which is why `demo` can be called.
    globals().setdefault(name, value)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _prepare_if_ipython() -> None:
    """Prepare IPython before the first connect: a call may be the last line of a cell."""
    if "IPython" in sys.modules:
        from kkjupyter.notebook import prepare_for_calls

        prepare_for_calls()


def _connect(url: str, **options: Any) -> Any:
    """As :func:`connect`, loaded at the first use."""
    from kkjupyter.api.functions import connect

    return connect(url, **options)


before_connect.append(_prepare_if_ipython)
connect_with(_connect)


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext kkjupyter``."""
    from kkjupyter.notebook import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext kkjupyter``: cancels and closes everything."""
    from kkjupyter.notebook import unload

    unload(ipython)
