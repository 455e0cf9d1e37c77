"""Checks values against the JSON Schemas of a handler before anything is sent.

``jsonschema`` comes with an extra; see :mod:`kkjupyter.vovk.client.json_schema.library`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from typing import Any, Final

from kkjupyter.errors import EncodeError, KKError, ProtocolError, UsageError, ValidationError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.vovk.client.json_schema.bounds import LeftOut, bounded, spending
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import loads
from kkjupyter.wire.vovk.forms import form_types, form_values
from kkjupyter.wire.vovk.query import scalar_text
from kkjupyter.wire.vovk.schema.model import Handler, JsonSchema, Part

__all__ = ["HandlerChecks", "Issue"]

Issue = dict[str, str]

_MAX_ISSUES: Final = 20
_MAX_CHARS: Final = 200
CHECK_LIMIT_S: Final = 0.5
"""Of computing, for what one call sends. A schema comes from the peer, and can ask for more."""

logger = SafeLogger("kkjupyter")


class HandlerChecks:
    """Checks the input of one handler.

    Make one for each and keep it: schemas are read once. A pattern that works only in JavaScript is
    left to the server, and so is input that takes more than ``limit_s`` to check; the log says so
    once.

    Args:
        handler: the handler with the ``validation``.
        limit_s: how long to compute for one part of a call, in seconds.
    """

    def __init__(self, handler: Handler, *, limit_s: float = CHECK_LIMIT_S) -> None:
        self._handler = handler
        self._limit_s = limit_s
        self._validators: dict[Part, Any] = {}
        self._has_told = False

    def check(
        self,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Check a call's input; input that is not JSON (a body of bytes) passes.

        In query, params and forms, text and numbers are the same, as on the wire.

        Raises:
            ValidationError: something breaks its schema; ``issues`` has path and message of each.
            EncodeError: something has no JSON form.
            UsageError: a schema is not one; the text says where.
        """
        issues: list[Issue] = []
        if "body" in self._handler.validation:
            if body is None or body is undefined:
                issues += [_issue("body", "is missing")] if self.faults("body", None) else []
            elif isinstance(body, Mapping) and form_types(self._handler.content_types):
                issues += self.faults("body", form_values(body), is_form=True)
            elif not isinstance(body, bytes | bytearray | memoryview):
                issues += self.faults("body", body)
        issues += self.faults("query", dict(query or {}))
        issues += self.faults("params", dict(params or {}))
        if issues:
            raise ValidationError(self._handler.title, issues[:_MAX_ISSUES])

    def faults(self, part: Part, value: Any, *, is_form: bool = False) -> list[Issue]:
        """How ``value`` breaks the schema for ``part``; empty if it does not, or there is no
        schema.

        Args:
            part: the part of the call.
            value: the value sent or received.
            is_form: whether it is the body of a form, whose numbers are sent as text, too.

        Raises:
            EncodeError: it has no JSON form.
            UsageError: the schema is not one, or what checks with is not installed.
        """
        if part not in self._handler.validation:
            return []
        try:
            plain = json_codec.encode(value, prefix=part, tags_bytes=False)
        except EncodeError as error:
            error.method = self._handler.title
            raise
        load_library()  # before the clock runs: its import is no fault of the schema's
        errors: list[Any] = []
        try:
            with spending(self._limit_s):
                self._find(part, plain, errors)
                if errors and (is_form or part in ("query", "params")):
                    respelled = _respelled(plain, errors)
                    errors.clear()
                    self._find(part, respelled, errors)
        except LeftOut as exc:  # the errors found so far count
            self._validators.setdefault(part, None)  # the schema is what took so long
            self._tell(part, str(exc))
        return [_issue_of(part, error) for error in errors]

    def _find(self, part: Part, plain: Any, found: list[Any]) -> None:
        """Add the library's errors; for alternatives, the errors of the one that fits best."""
        from jsonschema.exceptions import best_match

        validator = self._validator(part)
        if validator is None:
            return
        with self._following(part):
            for error in islice(validator.iter_errors(plain), _MAX_ISSUES):
                found.append(best_match([error]))

    @contextmanager
    def _following(self, part: Part) -> Iterator[None]:
        """Turn what the library raises for an invalid schema into a UsageError."""
        from referencing.exceptions import Unresolvable

        try:
            yield
        except (KKError, LeftOut):
            raise
        except Unresolvable as exc:
            raise self._no_schema(part, "", f"{exc} is not in it") from exc
        except RecursionError as exc:
            raise self._no_schema(part, "", "it, or the value, is nested too deeply") from exc
        except Exception as exc:
            # An invalid URL, a type in an odd place: the schema is the peer's, and the library does
            # not document what it raises for such a schema (ValueError, TypeError, AttributeError).
            why = f"{type(exc).__name__}: {exc}"
            raise self._no_schema(part, "", f"jsonschema cannot follow it ({why})") from exc

    def _tell(self, part: Part, why: str) -> None:
        if not self._has_told:
            self._has_told = True
            logger.warning("%s of %s is not checked here: %s", part, self._handler.title, why)

    def _validator(self, part: Part) -> Any:
        schema = self._handler.validation.get(part)
        if schema is not None and part not in self._validators:
            self._validators[part] = self._make_validator(part, schema)
        return self._validators.get(part)

    def _make_validator(self, part: Part, schema: JsonSchema) -> Any:
        try:
            with self._following(part):
                return self._checked_validator(part, schema)
        except UsageError:
            if self._handler.wire_format == "divider":
                return None  # clientValidators hold anything that their author likes
            raise

    def _checked_validator(self, part: Part, schema: JsonSchema) -> Any:
        from jsonschema.exceptions import best_match
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        if not isinstance(schema.get("$schema", ""), str):
            raise self._no_schema(part, ".$schema", "text is required")
        kind = bounded(validator_for(schema, default=Draft202012Validator))
        # Not check_schema, which has no time limit. Without formats: they would judge JavaScript's
        # patterns.
        fault = best_match(kind(kind.META_SCHEMA).iter_errors(schema))
        if fault is not None:
            path = "".join(f".{key}" for key in fault.absolute_path)
            raise self._no_schema(part, path, fault.message)
        # An empty registry: nothing is ever fetched for a $ref.
        return kind(schema, registry=Registry())

    def _no_schema(self, part: Part, path: str, what: str) -> UsageError:
        where = f"validation.{part}{path} of {self._handler.title}"
        return UsageError(
            f"{where} is not a JSON Schema: {_short(what)}; validate=False ignores it"
        )


def _issue_of(part: Part, error: Any) -> Issue:
    return _issue(".".join([part, *map(str, error.absolute_path)]), error.message)


def _issue(path: str, message: str) -> Issue:
    return {"path": path, "message": _short(message)}


def _short(text: str) -> str:
    """A short form of the library's message, which shows the whole value."""
    return (
        text
        if len(text) <= _MAX_CHARS
        else f"{text[: _MAX_CHARS // 2]} … {text[-_MAX_CHARS // 2 :]}"
    )


def _respelled(plain: Any, errors: Iterable[Any]) -> Any:
    """``plain`` with numbers as text, and text as numbers, where the schema asks for it."""
    plain = deepcopy(plain)
    for error in errors:
        if error.validator in ("type", "enum", "const") and error.absolute_path:
            *above, last = error.absolute_path
            holder = plain
            for key in above:
                holder = holder[key]
            holder[last] = _other_spelling(holder[last])
    return plain


def _other_spelling(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return scalar_text(value)
    if isinstance(value, str) and value.isascii():
        try:
            read = loads(value.encode())
        except ProtocolError:
            return value
        return read if isinstance(read, bool | int | float) else value
    return value
