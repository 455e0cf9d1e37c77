"""Vovk.ts in Python: serving controllers, and calling the controllers of a schema.

::

    class HelloController(vovk.Controller, prefix="hello"):
        @vovk.post.auto()
        async def stream_tokens(self, req):
            body = await req.json()
            async for token in vovk.delegate(self.hello.stream_tokens()):
                yield token

    server = vovk.serve([HelloController])
    hello = vovk.clientize(metadata["HelloController"], api_root="http://127.0.0.1:3000/api")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kkjupyter.api.clientize import (
        Fetch,
        clientize,
        default_fetcher,
        default_stream_fetcher,
    )
    from kkjupyter.vovk.server.controller import (
        Controller,
        delete,
        get,
        head,
        options,
        patch,
        post,
        put,
    )
    from kkjupyter.vovk.server.delegating import delegate
    from kkjupyter.vovk.server.exceptions import HttpException, Throw
    from kkjupyter.vovk.server.request import Request
    from kkjupyter.vovk.server.responses import Response
    from kkjupyter.vovk.server.serve import app, serve, write_schema
    from kkjupyter.wire.vovk.forms import File

__all__ = [
    "Controller",
    "Fetch",
    "File",
    "HttpException",
    "Request",
    "Response",
    "Throw",
    "app",
    "clientize",
    "default_fetcher",
    "default_stream_fetcher",
    "delegate",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "serve",
    "write_schema",
]

# Where the public names are, as "module:name". Each half is loaded when it is needed: a client
# needs no server, and the modules below use both halves without this one.
_HOMES = {
    "Controller": "kkjupyter.vovk.server.controller:Controller",
    "Fetch": "kkjupyter.api.clientize:Fetch",
    "File": "kkjupyter.wire.vovk.forms:File",
    "HttpException": "kkjupyter.vovk.server.exceptions:HttpException",
    "Request": "kkjupyter.vovk.server.request:Request",
    "Response": "kkjupyter.vovk.server.responses:Response",
    "Throw": "kkjupyter.vovk.server.exceptions:Throw",
    "app": "kkjupyter.vovk.server.serve:app",
    "clientize": "kkjupyter.api.clientize:clientize",
    "default_fetcher": "kkjupyter.api.clientize:default_fetcher",
    "default_stream_fetcher": "kkjupyter.api.clientize:default_stream_fetcher",
    "delegate": "kkjupyter.vovk.server.delegating:delegate",
    "delete": "kkjupyter.vovk.server.controller:delete",
    "get": "kkjupyter.vovk.server.controller:get",
    "head": "kkjupyter.vovk.server.controller:head",
    "options": "kkjupyter.vovk.server.controller:options",
    "patch": "kkjupyter.vovk.server.controller:patch",
    "post": "kkjupyter.vovk.server.controller:post",
    "put": "kkjupyter.vovk.server.controller:put",
    "serve": "kkjupyter.vovk.server.serve:serve",
    "write_schema": "kkjupyter.vovk.server.serve:write_schema",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module_name, _, attribute = home.partition(":")
    value = getattr(importlib.import_module(module_name), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
