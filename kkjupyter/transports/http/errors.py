"""Failures of HTTP requests: the library's errors translated to ours, in plain words."""

from __future__ import annotations

import aiohttp

from kkjupyter.errors import ConnectError, ConnectionLost, ConnectTimeout, KKError
from kkjupyter.transports.websocket.client import os_reason

__all__ = ["SECRET_BEARING_ERRORS", "translated"]

_SCHEMES = "http, https"

# Their texts hold the whole address with its secrets, so they must not even be a cause.
SECRET_BEARING_ERRORS = (
    aiohttp.ClientResponseError,
    aiohttp.ServerTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def translated(exc: Exception, shown_url: str, connect_timeout_s: float = 0.0) -> KKError:
    """An error of the library, or of the system below it, as one of ours.

    A ConnectError means that the server was not reached, or does not speak HTTP.
    """
    match exc:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeout(shown_url, f"no answer within {connect_timeout_s:g} s")
        case aiohttp.ClientProxyConnectionError():
            return ConnectError(
                shown_url, f"the proxy cannot be reached ({os_reason(exc.os_error, _SCHEMES)})"
            )
        case aiohttp.ClientHttpProxyError():
            return ConnectError(shown_url, f"the proxy refused the request (HTTP {exc.status})")
        case aiohttp.ClientConnectorCertificateError(certificate_error=OSError() as cause):
            return ConnectError(shown_url, os_reason(cause, _SCHEMES))
        case aiohttp.ClientConnectorError():
            return ConnectError(shown_url, os_reason(exc.os_error, _SCHEMES))
        case aiohttp.ServerFingerprintMismatch():
            return ConnectError(shown_url, "the TLS certificate is not the one expected")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConnectError(shown_url, "not an http:// or https:// address")
        case aiohttp.TooManyRedirects():
            return ConnectError(shown_url, "the server redirects too often")
        case aiohttp.ClientResponseError():
            return ConnectError(shown_url, "the server does not speak HTTP")
        case aiohttp.ServerTimeoutError():
            return ConnectionLost(shown_url, "the server stopped answering")
        case aiohttp.ServerDisconnectedError():
            return ConnectionLost(shown_url, "the server ended the connection without an answer")
        case aiohttp.ClientPayloadError():
            return ConnectionLost(shown_url, "the connection ended in the middle of the answer")
        case TimeoutError() if isinstance(exc, OSError) and exc.errno:  # keepalive
            return ConnectionLost(shown_url, "the server is gone")
        case OSError():
            return ConnectionLost(shown_url, exc.strerror or "the connection broke off")
    return ConnectionLost(shown_url, f"the request failed ({type(exc).__name__})")
