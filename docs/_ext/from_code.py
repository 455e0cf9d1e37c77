"""Directives that show what the program itself says, so that the pages cannot go stale.

::

    ```{magic-options} connect
    ```
    ```{magic-commands}
    ```
    ```{shell-help} call
    ```
"""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from kkjupyter.cli import build_parser
from kkjupyter.notebook.magic.options import COMMANDS, options_of


class FromCode(SphinxDirective):
    """A directive whose content is Markdown that it makes."""

    def markdown(self) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        node = nodes.container()
        self.state.nested_parse(StringList(self.markdown().splitlines(), "code"), 0, node)
        return node.children


class MagicOptions(FromCode):
    """The options of one command of ``%rpc``, as a table; of a call, for ``call``."""

    required_arguments: ClassVar[int] = 1

    def markdown(self) -> str:
        rows = [option for option in options_of(self.arguments[0]) if option.name != "--help"]
        return table(
            ("option", "what it does"),
            [
                (code(f"{row.name} {row.metavar}" if row.metavar else row.name), plain(row.help))
                for row in rows
            ],
        )


class MagicCommands(FromCode):
    """The commands of ``%rpc``, as a table."""

    def markdown(self) -> str:
        rows = [(code(f"%rpc {row.usage}"), plain(row.help)) for row in COMMANDS.values()]
        return table(("command", "what it does"), rows)


class ShellHelp(FromCode):
    """What ``kkjupyter COMMAND --help`` prints."""

    required_arguments: ClassVar[int] = 1

    def markdown(self) -> str:
        parser = build_parser()
        # argparse has no public way to a sub-command's parser.
        commands = next(action for action in parser._actions if action.choices)
        choices: Any = commands.choices
        command = choices[self.arguments[0]]
        # As wide as the page, whatever the terminal is that builds it.
        command.formatter_class = partial(RawDescriptionHelpFormatter, width=80)
        return f"```text\n{command.format_help()}```"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """``text`` as code inside a table."""
    return f"`{text}`".replace("|", "\\|")


def plain(text: str) -> str:
    """``text`` as it is, inside a table: no Markdown in it but code."""
    return text.replace("|", "\\|").replace("{", "\\{").replace("*", "\\*").replace("_", "\\_")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("magic-options", MagicOptions)
    app.add_directive("magic-commands", MagicCommands)
    app.add_directive("shell-help", ShellHelp)
    return {"parallel_read_safe": True}
