"""What goes wrong with an HTTP request: the library's errors as ours, in plain words."""

from __future__ import annotations

import aiohttp

from kkjupyter.errors import ConnectError, ConnectionLost, ConnectTimeout, KKError
from kkjupyter.transports.websocket.client import os_reason

__all__ = ["SECRET_BEARING_ERRORS", "translated"]

_SCHEMES = "http, https"

# Their texts hold the whole address and what is secret in it; not even as a cause may they be seen.
SECRET_BEARING_ERRORS = (
    aiohttp.ClientResponseError,
    aiohttp.ServerTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def translated(exc: Exception, shown_url: str, connect_timeout_s: float = 0.0) -> KKError:
    """What the library, or the system below it, raised, as an error of ours.

    A ConnectError means that the server was not reached, or is none for HTTP.
    """
    match exc:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeout(shown_url, f"no answer within {connect_timeout_s:g} s")
        case aiohttp.ClientProxyConnectionError():
            return ConnectError(
                shown_url, f"the proxy cannot be reached ({os_reason(exc.os_error, _SCHEMES)})"
            )
        case aiohttp.ClientHttpProxyError():
            return ConnectError(shown_url, f"the proxy does not let it through (HTTP {exc.status})")
        case aiohttp.ClientConnectorCertificateError(certificate_error=OSError() as cause):
            return ConnectError(shown_url, os_reason(cause, _SCHEMES))
        case aiohttp.ClientConnectorError():
            return ConnectError(shown_url, os_reason(exc.os_error, _SCHEMES))
        case aiohttp.ServerFingerprintMismatch():
            return ConnectError(shown_url, "the TLS certificate is not the one expected")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConnectError(shown_url, "not an http:// or https:// address")
        case aiohttp.TooManyRedirects():
            return ConnectError(shown_url, "it redirects again and again")
        case aiohttp.ClientResponseError():
            return ConnectError(shown_url, "the server does not speak HTTP")
        case aiohttp.ServerTimeoutError():
            return ConnectionLost(shown_url, "the server fell silent")
        case aiohttp.ServerDisconnectedError():
            return ConnectionLost(shown_url, "the server ended the connection without an answer")
        case aiohttp.ClientPayloadError():
            return ConnectionLost(shown_url, "the answer broke off")
        case TimeoutError() if isinstance(exc, OSError) and exc.errno:  # keepalive
            return ConnectionLost(shown_url, "the server is not there any more")
        case OSError():
            return ConnectionLost(shown_url, exc.strerror or "the connection broke off")
    return ConnectionLost(shown_url, f"the request failed ({type(exc).__name__})")
