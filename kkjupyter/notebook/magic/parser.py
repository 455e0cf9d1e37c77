"""Parses the text after ``%rpc`` into a :class:`Request`, without IPython.

A line is a sub-command if its first whole word is one, else a Python expression followed by
options. The expression ends at the first known `` --option`` outside brackets and strings, so
``a --b`` stays arithmetic and ``"--view"`` stays text.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import keyword
import re
import tokenize
from collections.abc import Container, Iterator, Mapping
from typing import Any, TypeVar

from kkjupyter.errors import ProtocolError, UsageError, did_you_mean
from kkjupyter.notebook.magic.option_parser import (
    pointing_at,
    refuse_secret_urls,
    words_and_options,
)
from kkjupyter.notebook.magic.options import CALL, COMMANDS, OPTIONS, Options, options_of
from kkjupyter.wire.values.json_text import loads

__all__ = ["Request", "interpolate", "parse", "with_body"]

AnyNode = TypeVar("AnyNode", bound=ast.AST)


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One parsed line.

    Attributes:
        command: a sub-command, or ``"call"`` for an expression.
        words: the words after the sub-command, without options (``("demo", "as", "api")``).
        expression: the tree to evaluate; None unless ``command`` is ``"call"`` and one was given.
        source: the expression as written.
        awaited: whether it began with an ``await``; the tree has none.
        options: the options.
    """

    command: str
    words: tuple[str, ...] = ()
    expression: ast.Expression | None = None
    source: str = ""
    awaited: bool = False
    options: Options = Options()


def parse(line: str, names: Container[str] = (), magic: str = "%rpc") -> Request:
    """Parse what follows ``%rpc``.

    Args:
        line: the text, without the magic's name; comments are dropped.
        names: the variables that exist. ``x --wiew`` is an unknown option unless ``wiew`` is one.
        magic: the beginning of the line, for errors.

    Raises:
        UsageError: the line cannot be understood; the text points at the place.
    """
    # IPython's users end magics with it to silence them; it is not part of any word.
    line = line.rstrip().removesuffix(";")
    asked = _HELP.fullmatch(line)
    if asked and "help" not in names and (asked[1] is None or asked[1] in COMMANDS):
        return Request(asked[1] or CALL, options=Options(help=True))
    first = re.match(r"\s*([a-z]+)(?=\s|$)\s*(.?)", line)
    if first and first[1] in COMMANDS and first[2] not in (".", "(", "[", "="):
        command = first[1]
        words, options = words_and_options(command, line, first.end(1), magic)
        refuse_secret_urls(words)
        return Request(command, tuple(words), options=options)

    end = _end_of_expression(line, names, magic)
    words, options = words_and_options(CALL, line, end, magic)
    if words:
        raise UsageError(
            f"{words[0]!r} is not part of the options; the expression comes first: "
            f"{magic} EXPRESSION --option ..."
        )
    text = line[:end].rstrip().removesuffix(";")
    source = text.strip()
    if not source:
        return Request(CALL, options=options)
    tree = _parse_expression(text, magic)
    awaited = isinstance(tree.body, ast.Await)
    return Request(CALL, (), _without_await(tree), source, awaited, options)


def with_body(request: Request, body: str, *, named: bool = False) -> Request:
    """Add the text below a ``%%rpc`` line to the call.

    Args:
        request: the parsed line.
        body: the text; its last newline is removed.
        named: whether to add it as ``body=``, parsed if it is JSON; otherwise it becomes the last
            positional argument, unchanged.

    Raises:
        UsageError: the line is not a call, so no argument can be added; or it already has a
            ``body=``.
    """
    tree = request.expression
    if tree is None:
        raise UsageError("%%rpc needs a call in its first line: %%rpc api.chat()")
    call = tree.body
    if not isinstance(call, ast.Call):
        raise UsageError(
            "%%rpc adds the text below as an argument, so its first line must be a call: "
            f"%%rpc {request.source}()"
        )
    text = body.removesuffix("\n")
    if not named:
        added = ast.Call(call.func, [*call.args, _placed(ast.Constant(text), call)], call.keywords)
    elif any(keyword.arg == "body" for keyword in call.keywords):
        raise UsageError("%%rpc adds the text below as body=; leave the one in the first line out")
    else:
        value = _placed(_literal(_as_json(text)), call)
        argument = _placed(ast.keyword("body", value), call)
        added = ast.Call(call.func, call.args, [*call.keywords, argument])
    expression = ast.Expression(ast.copy_location(added, call))
    return dataclasses.replace(request, expression=expression)


def _as_json(text: str) -> Any:
    """The value of ``text`` if it is JSON, else the text."""
    try:
        return loads(text.encode())
    except (ProtocolError, UnicodeEncodeError):
        return text


def _literal(value: Any) -> ast.expr:
    if isinstance(value, dict):
        return ast.Dict([ast.Constant(key) for key in value], [*map(_literal, value.values())])
    if isinstance(value, list):
        return ast.List([*map(_literal, value)], ast.Load())
    return ast.Constant(value)


def _placed(node: AnyNode, like: ast.AST) -> AnyNode:
    """``node`` with the position of ``like`` for all of its parts."""
    for part in ast.walk(node):
        ast.copy_location(part, like)
    return node


_BRACED_NAME = re.compile(r"\{([^\W\d]\w*)\}")


def interpolate(text: str, values: Mapping[str, Any]) -> str:
    """Replace ``{name}`` by the variable's value as text; every other brace stays.

    ``{{name}}`` stays, too, because templates use it.

    Raises:
        UsageError: there is no such variable.
    """

    def replace(found: re.Match[str]) -> str:
        start, end = found.span()
        if text[start - 1 : start] == "{" and text[end : end + 1] == "}":
            return found[0]
        name = found[1]
        if name not in values:
            hint = did_you_mean(name, [known for known in values if not known.startswith("_")])
            raise UsageError(f"--interpolate: unknown variable {name!r}{hint}")
        return str(values[name])

    return _BRACED_NAME.sub(replace, text)


# Otherwise it would be Python's own `help`, which explains something else.
_HELP = re.compile(r"\s*help(?:\s+([a-z]+))?\s*(?:#.*)?")

# --- the expression ---

_OPTION = re.compile(r"--([A-Za-z][A-Za-z0-9]*(?:-[A-Za-z][A-Za-z0-9]*)*)")


# What Python's parser raises for too deep nesting.
_TOO_DEEP = (MemoryError, RecursionError)
# An expression that has more places that Python cannot read is not one.
_MAX_ERROR_TOKENS = 20


def _end_of_expression(line: str, names: Container[str], magic: str) -> int:
    """The offset at which the expression ends: at an option, a comment or the line's end."""
    end = len(line)
    unknown: dict[str, int] = {}  # and where each stands first
    for offset, is_comment in _candidates(line):
        found = None if is_comment else _OPTION.match(line, offset)
        if is_comment or (found and found[0] in OPTIONS):
            end = offset
            break
        if found and found[1] not in names:
            unknown.setdefault(found[0], offset)
    # Parsed only once: a long line may have thousands of them.
    is_expression = not unknown or _is_expression(line[:end])
    for name, offset in unknown.items():
        hint = did_you_mean(name, [option.name for option in options_of(CALL)])
        if hint or not is_expression:
            raise pointing_at(f"unknown option {name}{hint}", line, offset, magic)
    return end


def _candidates(line: str) -> Iterator[tuple[int, bool]]:
    """Offsets outside brackets and strings where `` --`` or a comment begins.

    Tokens are read one by one and only as far as needed: the text after the expression (``--header
    'X: don"t'``) need not be Python. If the tokenizer fails, compiling the expression will name the
    fault.
    """
    starts = [0]
    for row in io.StringIO(line):
        starts.append(starts[-1] + len(row))
    depth = 0
    dash: int | None = None
    errors = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(line).readline):
            offset = starts[token.start[0] - 1] + token.start[1]
            if token.type == tokenize.ERRORTOKEN:
                # Python 3.11 has one for each blank, and looks at all that follow for each.
                errors += 1
                if errors > _MAX_ERROR_TOKENS:
                    return
            if token.type == tokenize.COMMENT:
                if depth == 0:
                    yield offset, True
            elif token.string in ("(", "[", "{"):
                depth += 1
            elif token.string in (")", "]", "}"):
                depth -= 1
            elif token.string == "-" and depth == 0:
                if dash == offset - 1 and (dash == 0 or line[dash - 1].isspace()):
                    yield dash, False
                dash = offset
    except (tokenize.TokenError, SyntaxError):
        # IndentationError, for example: a fault in the expression, reported elsewhere.
        return


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, *_TOO_DEEP):
        return False
    return True


def _parse_expression(text: str, magic: str) -> ast.Expression:
    indent = len(text) - len(text.lstrip())
    try:
        return ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        hint = _what_was_meant(text, magic)
        if hint:
            raise UsageError(hint) from None
        row = error.lineno or 1
        column = (error.offset or 1) - 1 + (indent if row == 1 else 0)
        lines = text.splitlines() or [""]
        shown = lines[row - 1] if row <= len(lines) else ""
        raise pointing_at(f"not a Python expression: {error.msg}", shown, column, magic) from None
    except ValueError as error:
        # "source code string cannot contain null bytes"
        raise UsageError(f"not a Python expression: {error}") from None
    except _TOO_DEEP:
        text = "the expression is nested too deeply; put a part of it in a variable"
        raise UsageError(text) from None


def _what_was_meant(text: str, magic: str) -> str:
    """The error for text that is not an expression but a likely mistake."""
    words = re.match(r"\s*([A-Za-z]+)\s+[\w-]", text)
    if words and words[1] not in keyword.kwlist:
        near = did_you_mean(words[1], list(COMMANDS)) or f" (known: {', '.join(COMMANDS)})"
        return f"unknown command {words[1]!r}{near}"
    assigned = re.match(r"\s*(\w+)\s*=(?!=)\s*(.*)", text, re.DOTALL)
    if assigned:
        return f"to keep the result write `{assigned[1]} = {magic} {assigned[2].strip()}`"
    return ""


def _without_await(tree: ast.Expression) -> ast.Expression:
    """Drop an `await` in front of the whole expression; refuse any other.

    ``%rpc`` waits by itself. A magic runs inside the kernel's loop and cannot wait for anything
    else on that loop.
    """
    if isinstance(tree.body, ast.Await):
        tree = ast.Expression(tree.body.value)
    for node in ast.walk(tree):
        is_async = isinstance(node, ast.Await) or (
            isinstance(node, ast.comprehension) and node.is_async
        )
        if is_async:
            inner = node.value if isinstance(node, ast.Await) else node
            named = ast.unparse(inner) if isinstance(inner, ast.expr) else "..."
            raise UsageError(
                f"a magic cannot wait for an `await` inside the expression: write "
                f"`value = await {named}` on its own line before it, and use `value` here"
            )
    return tree
