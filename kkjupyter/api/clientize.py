"""The client side of Vovk in ``from kkjupyter import vovk``."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Unpack

from kkjupyter.api.addresses import make_vovk_session
from kkjupyter.api.connect_options import ConnectOptions
from kkjupyter.errors import UsageError
from kkjupyter.runtime.hooks import run_before_connect
from kkjupyter.vovk.client.call import VovkCall
from kkjupyter.vovk.client.fetchers import Fetch, Fetcher, default_fetcher, default_stream_fetcher
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.vovk.client.remote import VovkRemote
from kkjupyter.vovk.client.schema_sources import schema_of_controller

__all__ = [
    "Fetch",
    "Fetcher",
    "VovkCall",
    "clientize",
    "default_fetcher",
    "default_stream_fetcher",
]


def clientize(
    controller: Mapping[str, Any], *, api_root: str, **options: Unpack[ConnectOptions]
) -> VovkRemote:
    """A client for one controller of a schema, like ``clientizeController``.

    Nothing is sent before the first call. ``kk.close(...)`` closes it.

    Args:
        controller: ``metadata["HelloController"]``, of any version.
        api_root: the address of the API, ``"http://127.0.0.1:3000/api"``; with the segment, if it
            has one.
        options: ``fetcher``, ``stream_fetcher``, ``default_options``, ``headers``, ``token`` and
            the like, as for :func:`kkjupyter.connect`.

    Raises:
        UsageError: an argument is not valid.
    """
    run_before_connect()
    if options.get("schema") is not None:
        raise UsageError(
            "clientize takes the schema of the controller itself; schema= is for kk.connect"
        )
    schema, name = schema_of_controller(controller)
    options["schema"] = schema
    session = make_vovk_session(api_root, **options)
    if session.has_checks:
        # With JupyterLab on the machine this takes a second or more, which the first call need not
        # wait for.
        threading.Thread(target=load_library, name="kkjupyter-import", daemon=True).start()
    return VovkRemote(session, (name,))
