"""``kkjupyter call URL 'countdown(5)'``: writes values to stdout as they arrive.

The call is read, not evaluated: a dotted name, with literals as arguments.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

import kkjupyter as kk
from kkjupyter.cli.exit_codes import ExitCode
from kkjupyter.cli.value_lines import Writer
from kkjupyter.errors import UsageError
from kkjupyter.wire.values.javascript import undefined

__all__ = ["Expression", "parse_expression", "run"]

_FROM_ENV = re.compile(r"(?P<before>(?:[A-Za-z]+ +)?)env:(?P<name>\w+)")

_HOW = "write a call such as 'countdown(5)' or 'data.stream(3)', or a property: 'settings.theme'"
_SPELLINGS = {"true": "True", "false": "False", "null": "None", "undefined": "None"}

_POLL_S = 0.1
"""Some platforms interrupt no wait, so none is longer than this."""


def run(options: argparse.Namespace) -> ExitCode:
    """Make the call and write its values.

    Raises:
        KKError: the call failed; ``main`` turns it into a line and an exit code.
        KeyboardInterrupt: Ctrl-C; the call was cancelled.
    """
    expression = parse_expression(options.expression)
    api = kk.connect(
        options.url,
        protocol=options.protocol,
        codec=options.codec,
        schema=options.schema,
        token=_from_environment(options.token_env) if options.token_env else None,
        headers=parse_headers(options.header),
    )
    writer = Writer(sys.stdout, options.style)
    try:
        _write_result(api, expression, options, writer)
    except BrokenPipeError:
        # Point stdout elsewhere, or Python complains when it flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.READER_GONE
    finally:
        kk.close(api)
    return ExitCode.OK


def parse_headers(lines: list[str]) -> dict[str, str]:
    """``["Authorization: Bearer env:KEY", "Accept-Language: en"]`` -> names and values.

    Raises:
        UsageError: a line has no colon, or names a variable that is not set.
    """
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (name.strip() and colon):
            raise UsageError(f"--header needs 'Name: value', not {name!r}")
        found = _FROM_ENV.fullmatch(value.strip())
        if found:
            value = found["before"] + _from_environment(found["name"])
        headers[name.strip()] = value.strip()
    return headers


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as exc:
        raise UsageError(f"the environment variable is not set: {name}") from exc


def _write_result(
    api: Any, expression: Expression, options: argparse.Namespace, writer: Writer
) -> None:
    target = api
    for name in expression.path:
        target = target[name]
    if not expression.is_call:
        writer.write(kk.get(target))
        return
    call = kk.call(target, *expression.args, timeout_s=options.timeout, **expression.kwargs)
    with call:  # leaving the block in any way cancels the call
        try:
            _follow(call, options, writer)
        finally:
            writer.finish()


def _follow(call: Any, options: argparse.Namespace, writer: Writer) -> None:
    """Write the items, or the single value, until the call ends or ``--take`` is reached."""
    consumer = call.consume()
    left = options.take
    while True:
        _wait(consumer)
        for item in consumer.take():
            writer.write(item)
            if left is not None:
                left -= 1
                if left == 0:
                    return
        if consumer.finished:
            break
    if consumer.error is not None:
        raise consumer.error
    nothing = consumer.value is None or consumer.value is undefined
    if consumer.kind == "unary" and not (nothing and options.style != "json"):
        writer.write(consumer.value)


def _wait(consumer: Any) -> None:
    ready = threading.Event()
    consumer.on_ready(ready.set)
    while not ready.wait(_POLL_S):
        pass


@dataclass(frozen=True)
class Expression:
    """A call, or a property if ``is_call`` is false."""

    path: tuple[str, ...]
    is_call: bool = False
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def parse_expression(text: str) -> Expression:
    """Read a dotted name, or a call of one with literal arguments.

    Raises:
        UsageError: it is anything else; the text says what to write.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as exc:
        raise UsageError(f"{text!r} is not an expression ({exc.msg}); {_HOW}") from exc
    except ValueError as exc:  # a null character
        raise UsageError(f"{text!r:.200} is not an expression ({exc}); {_HOW}") from exc
    except (MemoryError, RecursionError) as exc:  # Python's own parser
        raise UsageError(f"the expression is nested too deeply; {_HOW}") from exc
    try:
        return _expression(node)
    except RecursionError as exc:  # since 3.13 the parser accepts more than can be walked
        raise UsageError(f"the expression is nested too deeply; {_HOW}") from exc


def _expression(node: ast.expr) -> Expression:
    if not isinstance(node, ast.Call):
        return Expression(_path(node))
    kwargs: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise UsageError(f"'**' cannot be used here; {_HOW}")
        kwargs[keyword.arg] = _literal(keyword.value)
    args = tuple(_literal(argument) for argument in node.args)
    return Expression(_path(node.func), is_call=True, args=args, kwargs=kwargs)


def _path(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*_path(node.value), node.attr)
    raise UsageError(f"{ast.unparse(node)!r} is not a dotted name; {_HOW}")


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as exc:
        source = ast.unparse(node)
        spelling = _SPELLINGS.get(source)
        hint = (
            f"write {spelling}"
            if spelling
            else "only literals can be passed, such as 5, 'x', [1, 2]"
        )
        raise UsageError(f"the argument {source!r} is not a literal: {hint}") from exc
