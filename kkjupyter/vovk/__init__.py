"""Vovk.ts in Python: controllers that are served, and one's own way to call those of others.

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

from kkjupyter.rpc.vovk_client import (
    Fetch,
    clientize,
    default_fetcher,
    default_stream_fetcher,
)
from kkjupyter.vovk.controller import Controller
from kkjupyter.vovk.delegating import delegate
from kkjupyter.vovk.exceptions import HttpException, Throw
from kkjupyter.vovk.replies import Response
from kkjupyter.vovk.request import Request
from kkjupyter.vovk.routes import delete, get, head, options, patch, post, put
from kkjupyter.vovk.serving import app, serve, write_schema
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
