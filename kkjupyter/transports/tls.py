"""TLS: which certificates to trust, and why one was refused."""

from __future__ import annotations

import contextlib
import os
import ssl
from typing import Any

from kkjupyter.errors import UsageError

__all__ = ["certificate_of", "check_server_context", "client_context", "context_for", "tls_reason"]

_NOT_TRUSTED = {2, 18, 19, 20, 21}
_EXPIRED = 10
_NOT_YET_VALID = 9
_ANOTHER_NAME = {62, 63, 64}
_FLIGHTS = 6


def client_context(
    url: str, context: ssl.SSLContext | None, ca_file: str | os.PathLike[str] | None
) -> ssl.SSLContext | None:
    """The context that checks the server at ``url``; None to trust what the system trusts.

    Args:
        url: a ``ws://``, ``wss://``, ``http://``, ``https://`` address, or that of a bus, without
            secrets.
        context: as the user made it.
        ca_file: certificates in PEM form; only they and what they have issued are trusted.

    Raises:
        UsageError: these exclude each other, or the file cannot be used.
    """
    if context is None and ca_file is None:
        return None
    given = "ssl" if context is not None else "ca_file"
    if context is not None and ca_file is not None:
        raise UsageError(
            "ssl= and ca_file= exclude each other; "
            "pass one, or call ssl.load_verify_locations(ca_file)"
        )
    scheme, _, rest = url.partition("://")
    if scheme.lower() in ("ws", "http", "redis"):
        safe = f"{scheme.lower()}s"
        raise UsageError(f"{given}= is for {safe}:// addresses; did you mean '{safe}://{rest}'?")
    if context is None:
        return _trusting(ca_file)
    if not isinstance(context, ssl.SSLContext):
        raise UsageError(
            f"ssl must be an ssl.SSLContext, not {type(context).__name__}; "
            "to trust a certificate in a file, pass ca_file='that file.pem'"
        )
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise UsageError(
            "this SSLContext is for servers; ssl.create_default_context() makes one for clients"
        )
    return context


def check_server_context(context: Any, host: str) -> bytes | None:
    """The certificate, in DER form, that a server with ``context`` shows a client that asks for
    ``host``; None if that cannot be known.

    Raises:
        UsageError: no server can work with this context.
    """
    if not isinstance(context, ssl.SSLContext) or context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        what = "one for clients" if isinstance(context, ssl.SSLContext) else type(context).__name__
        raise UsageError(
            f"ssl must be an ssl.SSLContext for servers, not {what}: "
            "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH); "
            "context.load_cert_chain('certificate.pem', 'key.pem')"
        )
    try:
        return certificate_of(context, host)
    except ssl.SSLError as exc:
        # A callback may choose another certificate, by a name that is not known here.
        if exc.reason == "NO_SHARED_CIPHER" and context.sni_callback is None:
            raise UsageError(
                "the SSLContext has no certificate: "
                "context.load_cert_chain('certificate.pem', 'key.pem')"
            ) from exc
        return None
    except ValueError:  # no name that TLS can carry
        return None


def certificate_of(context: ssl.SSLContext, host: str) -> bytes | None:
    """The certificate of ``context``, from a handshake in memory.

    Raises:
        ssl.SSLError: the handshake fails.
    """
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.verify_mode = ssl.CERT_NONE  # nothing is sent; only the certificate is looked at
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=host or None)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_FLIGHTS):
        try:
            client.do_handshake()
            return client.getpeercert(binary_form=True)
        except ssl.SSLWantReadError:
            pass
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
    return None


def context_for(certificate: bytes) -> ssl.SSLContext:
    """A context that trusts exactly this certificate (in DER form), whatever name is in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context


def tls_reason(exc: ssl.SSLError, scheme: str) -> str:
    """What is wrong and what may help; ``scheme`` is the one of TLS addresses."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        text = f"the TLS certificate was refused: {exc.verify_message}"
        code = getattr(exc, "verify_code", 0)  # not every such error comes from OpenSSL
        if code in _NOT_TRUSTED:
            return f"{text}; if you know it or who issued it, pass ca_file='that certificate.pem'"
        if code in _ANOTHER_NAME:
            return f"{text.removesuffix('.')}; connect to a name that is in it"
        if code in (_EXPIRED, _NOT_YET_VALID):
            return f"{text}; if this machine's clock is right, the server needs a new one"
        return text
    reason = getattr(exc, "reason", None) or str(exc)
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return (
            f"TLS failed ({reason}); if the server wants a certificate of yours, pass ssl=context "
            "after context.load_cert_chain(...)"
        )
    return f"TLS failed ({reason}); is it a {scheme}:// server?"


def _trusting(ca_file: Any) -> ssl.SSLContext:
    if not isinstance(ca_file, str | os.PathLike):
        raise UsageError(f"ca_file must be the path of a file, not {type(ca_file).__name__}")
    shown = repr(os.fspath(ca_file))
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as exc:
        raise UsageError(
            f"ca_file {shown} has no certificate in PEM form (-----BEGIN CERTIFICATE-----) in it"
        ) from exc
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise UsageError(f"ca_file {shown} cannot be read: {why}") from exc
    # As Python does by itself since 3.13: the server's own certificate is enough.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
