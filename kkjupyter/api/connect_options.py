"""The options of a new connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from kkjupyter.limits import ClientLimits
    from kkjupyter.server.exposed.writable import WritableOption
    from kkjupyter.server.interceptors import Interceptor
    from kkjupyter.vovk.client.fetchers import Fetcher
    from kkjupyter.vovk.client.schema_sources import SchemaSource

__all__ = ["ConnectOptions"]


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of :func:`connect` and :func:`aconnect`.

    Attributes:
        protocol: ``"classic"`` (kkrpc 0.x) or ``"compact"`` (1.0 to 2.x); None detects it. Over
            HTTP it must be named, and None means ``"vovk"``.
        codec: ``"superjson"`` or ``"json"``, for what is sent; None uses the codec that the peer
            answers in. Answers are read in both.
        headers: sent with the handshake; over HTTP with every request, like token and cookies.
        token: sent as ``Authorization: Bearer``; beside an Authorization header of yours, which a
            proxy may want, as the subprotocol ``kkjupyter.token.<token>``, and not over HTTP. On
            a bus it is the broker's.
        cookies: sent with the handshake, names to values.
        subprotocols: offered in the handshake, in order of preference.
        ssl: how to check the server of a ``wss://`` or ``https://`` address, or a broker; by
            default as the system does.
        ca_file: a file of certificates (PEM); only they and what they have issued are trusted. For
            a private authority or a server's self-signed certificate.
        proxy: ``"http://user:password@host:port"``, or ``https``, ``socks5h`` and so on; True (the
            default) for the one in the environment, which is never used for this machine; None for
            no proxy.
        compression: ``"deflate"`` to offer it, for slow networks; None (the default) for no
            compression.
        timeout_s: the limit for the reply of every call, in seconds; None for no limit.
        idle_timeout_s: the limit for the next item of every stream, in seconds, while your code
            waits for it; then the stream fails with :class:`CallTimeout`, and the server is told to
            end it. None (the default) for no limit, because an item may take an hour. A server that
            is gone is noticed anyway, after 40 s: on a WebSocket by pings, over HTTP by TCP's
            keepalive (between kkjupyter client and server also by a heartbeat, which notices a
            frozen one), over stdio when the program is stopped; on a bus a worker that was killed
            after about 1 s, and a frozen one after 10 s.
        connect_timeout_s: the limit for connecting, in seconds; 10 by default.
        resume: whether to come back when a WebSocket breaks, where the server offers that (see
            ``resume_s`` of :func:`kkjupyter.serve`). The server says so when it is asked for its
            protocol, so None (the default) does not ask one whose protocol and codec are both
            named; True does, and False never comes back.
        limits: how large a message from the other side may be; see
            :class:`kkjupyter.ClientLimits`.
        methods: names of the other side's methods, for completion.
        meta: a function that is called without arguments for each call; the dict that it returns is
            sent with the call, for the other side's interceptors.
        expose: an object that the other side may call, as for :func:`kkjupyter.serve`. Not over
            HTTP.
        interceptors: run around every operation of the other side on the exposed object.
        writable: what the other side may assign to in it, as for :func:`kkjupyter.serve`; nothing
            by default.
        debug: True sends the other side the tracebacks of the exposed object's errors.
        cwd: the directory to start a command in; that of this process otherwise.
        env: environment variables of a command, on top of those of this process.
        schema: for Vovk: a ``.vovk-schema`` folder, a ``vovk-metadata.json``, the address
            of either, or its parsed JSON. None asks the server's ``_schema_``.
        validate: of Vovk: False sends what breaks the schema's JSON Schemas, too. They are checked
            with jsonschema, which comes with ``kkjupyter[vovk]``. Without it True is a UsageError,
            and the default sends calls unchecked, with one warning.
        default_options: of Vovk, for every call: a dict with ``body``, ``query``, ``params``,
            ``headers``, ``isStream``; what a call says itself counts.
        fetcher: of Vovk: carries out calls; see :mod:`kkjupyter.vovk.client.fetchers`.
        stream_fetcher: of Vovk: likewise, where a stream is expected.
    """

    protocol: str | None
    codec: str | None
    headers: Mapping[str, str] | None
    token: str | None
    cookies: Mapping[str, str] | None
    subprotocols: Sequence[str]
    ssl: SSLContext | None
    ca_file: str | PathLike[str] | None
    proxy: str | bool | None
    compression: Literal["deflate"] | None
    timeout_s: float | None
    idle_timeout_s: float | None
    connect_timeout_s: float
    resume: bool | None
    limits: ClientLimits | None
    methods: Sequence[str]
    meta: Callable[[], Mapping[str, Any] | None] | None
    expose: Any
    interceptors: Sequence[Interceptor]
    writable: WritableOption
    debug: bool
    cwd: str | PathLike[str] | None
    env: Mapping[str, str] | None
    schema: SchemaSource | None
    validate: bool
    default_options: Mapping[str, Any] | None
    fetcher: Fetcher | None
    stream_fetcher: Fetcher | None
