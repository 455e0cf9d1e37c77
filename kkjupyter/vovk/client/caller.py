"""Makes calls of Vovk handlers: names, arguments, checks and fetchers, but not the sending."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kkjupyter.calls.call import Call
from kkjupyter.calls.state import CallState
from kkjupyter.client.caller import Caller
from kkjupyter.errors import UsageError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.vovk.client.arguments import CallInput, call_title, read_input
from kkjupyter.vovk.client.call import VovkCall, VovkState
from kkjupyter.vovk.client.custom_calls import CustomRun
from kkjupyter.vovk.client.fetchers import Fetch, Fetcher, default_fetcher, default_stream_fetcher
from kkjupyter.vovk.client.json_schema.library import has_library, load_library
from kkjupyter.vovk.client.json_schema.validation import HandlerChecks
from kkjupyter.wire.events import Operation
from kkjupyter.wire.vovk.request import HttpRequest, build_request
from kkjupyter.wire.vovk.schema.model import Handler, Schema
from kkjupyter.wire.vovk.schema.names import Names

__all__ = ["VovkCaller"]

logger = SafeLogger("kkjupyter")

_OPERATIONS = {
    "get": "Vovk methods have no properties; call the method: {0}(...)",
    "set": "Vovk methods have no properties; nothing can be set",
    "new": "a Vovk server has no classes; call a method",
}


class VovkCaller(Caller):
    """Calls the handlers of a schema; a subclass sends the requests.

    Args:
        url: where to, without secrets, for messages.
        validate: whether calls that say nothing else are held to JSON Schemas. None: yes, if the
            library for it is installed; a warning says once that it is not.
        default_options: for every call: ``body``, ``query``, ``params``, ``headers``; what
            a call says itself counts.
        fetcher: carries out calls; by default :func:`default_fetcher`.
        stream_fetcher: carries out calls that expect a stream.
        timeout_s: the default limit for the answer of a call, in seconds.
        idle_timeout_s: the default limit for the next item of a stream, in seconds.
        meta: called for each call; its result is sent with the call.

    Attributes:
        api_root: the address of the API, complete.

    Raises:
        UsageError: an argument is not valid.
    """

    api_root: str

    def __init__(
        self,
        url: str,
        *,
        validate: bool | None = None,
        default_options: Mapping[str, Any] | None = None,
        fetcher: Fetcher | None = None,
        stream_fetcher: Fetcher | None = None,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
        meta: Callable[[], Mapping[str, Any] | None] | None = None,
    ) -> None:
        super().__init__(url, timeout_s=timeout_s, idle_timeout_s=idle_timeout_s, meta=meta)
        if default_options is not None and not isinstance(default_options, Mapping):
            raise UsageError("default_options must be a dict: {'headers': {...}, 'query': {...}}")
        if validate is not None and not isinstance(validate, bool):
            raise UsageError(f"validate must be True or False, not {validate!r:.60}")
        self._can_check = has_library()
        if validate and not self._can_check:
            load_library()  # says what to install
        for name, value in (("fetcher", fetcher), ("stream_fetcher", stream_fetcher)):
            if value is not None and not callable(value):
                raise UsageError(f"{name} must be a function, not {type(value).__name__}")
        self._validate = validate
        self._has_told = False
        self._defaults = read_input("default_options", (), default_options or {})
        self._fetcher = fetcher or default_fetcher
        self._stream_fetcher = stream_fetcher or default_stream_fetcher
        self._schema: Schema | None = None
        self._names: Names | None = None
        self._checks: dict[tuple[str, str, str], HandlerChecks] = {}
        self._custom: set[CallState] = set()

    # ---- what a subclass defines

    def _start(self, state: VovkState, request: HttpRequest, fetch: Fetch) -> None:
        """Send a request; its outcome goes to ``state``. I/O loop only."""
        raise NotImplementedError

    def _new_state(self, fetch: Fetch, request: HttpRequest) -> VovkState:
        """The state of a call, with its backend. Any thread."""
        raise NotImplementedError

    # ---- the schema

    @property
    def names(self) -> Names:
        """The names that can be called."""
        assert self._names is not None, "call connect() first"
        return self._names

    def use(self, schema: Schema) -> None:
        """Use ``schema`` for calls from now on."""
        self._schema = schema
        self._names = Names(schema)
        self.methods = _methods(schema)

    @property
    def protocol(self) -> str:
        return "vovk"

    @property
    def codec(self) -> str:
        return "unknown" if self._schema is None else self._schema.wire_format

    @property
    def has_checks(self) -> bool:
        """Whether there is anything that calls are held to, and something to check it with."""
        segments = self._schema.segments.values() if self._schema is not None else ()
        if self._validate is False or not self._can_check:
            return False
        return any(
            handler.validation
            for segment in segments
            for controller in segment.controllers.values()
            for handler in controller.handlers.values()
        )

    def checks_of(self, handler: Handler) -> HandlerChecks:
        """The checks for the input of ``handler``; kept, because schemas are slow to read."""
        key = (handler.segment, handler.controller, handler.name)
        checks = self._checks.get(key)
        if checks is None:
            checks = self._checks.setdefault(key, HandlerChecks(handler))
        return checks

    # ---- calls

    def _call(
        self,
        operation: Operation,
        method: str,
        path: Sequence[str],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        value: Any,
        timeout_s: float | None,
        idle_timeout_s: float | None,
    ) -> Call:
        """``kwargs`` as in :data:`~kkjupyter.vovk.client.arguments.OPTIONS`.

        Raises:
            ValidationError: the input breaks the schema, or a path parameter is missing or unknown.
            EncodeError: an argument cannot be put on the wire.
            UsageError: there is no such handler or argument, or the connection was closed.
        """
        if operation in _OPERATIONS:
            raise UsageError(f"{method}: {_OPERATIONS[operation].format(method)}")
        handler = self.names.find(path)
        given = {**kwargs}
        own = read_input(handler.title, args, given).over(self._defaults, handler)
        is_stream = handler.streams if own.is_stream is None else own.is_stream
        fetch = Fetch(
            name=handler.name,
            http_method=handler.http_method,
            api_root=self.api_root,
            body=own.body,
            query=own.query,
            params=own.params,
            headers=own.headers,
            is_stream=is_stream,
            meta=self._meta_of_call(handler.title) if own.meta is None else own.meta,
            timeout_s=timeout_s,
            idle_timeout_s=idle_timeout_s,
            _title=call_title(handler.title, given),
            _handler=handler,
            _caller=self,
            _validates=self._validates(own, handler),
        )
        outcome = (self._stream_fetcher if is_stream else self._fetcher)(fetch)
        return outcome if isinstance(outcome, Call) else self._run_custom(fetch, outcome)

    def fetch(self, fetch: Fetch) -> VovkCall:
        """Check a call and send it: what the default fetchers do. Any thread; returns at once."""
        handler = fetch._handler
        self._check_open(handler.title)
        fetch.validate()
        request = build_request(
            handler,
            self.api_root,
            body=fetch.body,
            query=fetch.query,
            params=fetch.params,
            headers=fetch.headers,
            meta=fetch.meta,
        )
        state = self._new_state(fetch, request)
        fetch._made.append(state)
        wire = f"vovk, {handler.wire_format}"
        state.observer = self.recorder.begin(state.number, state.title, wire, state.buffer)
        handle = VovkCall(state)  # first: what Ctrl-C leaves behind here is found to be dropped
        io_loop().post(self._start_or_fail, state, request, fetch)
        return handle

    def _start_or_fail(self, state: VovkState, request: HttpRequest, fetch: Fetch) -> None:
        try:
            self._start(state, request, fetch)
        except Exception as error:
            # A fault of this side's: nobody may wait for it for ever.
            state.failed(error)
            raise

    def _validates(self, given: CallInput, handler: Handler) -> bool:
        """Whether a call is checked. Without the library it is not, unless it asks for it: the
        server checks again in any case."""
        asked = self._validate if given.validate is None else given.validate
        if self._can_check or not handler.validation:
            return asked is not False
        if asked:
            load_library()  # says what to install
        if asked is None and not self._has_told:
            self._has_told = True
            logger.warning(
                "calls of %s are sent unchecked, because jsonschema is not installed; "
                "pip install 'kkjupyter[vovk]', or turn the checks off with validate=False",
                self.url,
            )
        return False

    def _run_custom(self, fetch: Fetch, outcome: Any) -> VovkCall:
        run = CustomRun(outcome, fetch._made, self._custom.discard)
        run.state = VovkState(
            fetch._handler.title,
            fetch._title,
            run,
            made=fetch._made,
            timeout_s=fetch.timeout_s,
            idle_timeout_s=fetch.idle_timeout_s,
        )
        self._custom.add(run.state)
        run.start()
        return VovkCall(run.state)

    def _cancel_custom(self) -> None:
        for state in list(self._custom):
            state.cancel()


def _methods(schema: Schema) -> list[str]:
    """The dotted names of all handlers, as in the schema; with the segment if one is needed."""
    homes: dict[str, int] = {}
    for segment in schema.segments.values():
        for name in segment.controllers:
            homes[name] = homes.get(name, 0) + 1
    return [
        ".".join([*(segment.name.split("/") if homes[name] > 1 and segment.name else ()), name, h])
        for segment in schema.segments.values()
        for name, controller in segment.controllers.items()
        for h in controller.handlers
    ]
