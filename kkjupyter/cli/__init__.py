"""The ``kkjupyter`` command: demo, serve, call."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from kkjupyter import __version__
from kkjupyter.cli.exit_codes import EXIT_CODES_HELP, ExitCode, exit_code_for
from kkjupyter.cli.value_lines import clean_log
from kkjupyter.errors import KKError

__all__ = ["main"]

_EXAMPLES = """\
examples:
  kkjupyter demo                                 the notebooks, in JupyterLab
  kkjupyter demo --headless                      the first of them, in this terminal
  kkjupyter serve kkjupyter.demo:make_api        an endpoint to try things on
  kkjupyter serve tools.py:api --port 9000       your own object
  kkjupyter call ws://127.0.0.1:8765 'countdown(5)' --token-env KK_TOKEN"""

_CALL_EXAMPLES = f"""\
examples:
  kkjupyter call ws://127.0.0.1:8765 'math.add(1, 2)'
  kkjupyter call ws://127.0.0.1:8765 'ticks(pause_s=1)' --take 10
  kkjupyter call ws://127.0.0.1:8765 'chat("Tell me a story")' --text
  kkjupyter call ws://127.0.0.1:8765 'rows(100)' --json | jq .celsius
  kkjupyter call ws://127.0.0.1:8765 settings.theme

{EXIT_CODES_HELP}"""

_SERVE_EXAMPLES = """\
examples:
  kkjupyter serve kkjupyter.demo:make_api --writable settings --debug
  kkjupyter serve tools.py:api --port 9000 --token-env KK_TOKEN
  kkjupyter serve tools.py:api --on nats://127.0.0.1:4222/lab.models --workers shared
  kkjupyter serve tools:Tools --no-token
  kkjupyter serve tools:Tools --http             one POST for each call
  kkjupyter serve tools.py:api --stdio           for a program that starts it"""

_LAST_PORT = 65_535


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (``sys.argv`` by default) and return its exit code."""
    options = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal may lack some characters
    clean_log()
    try:
        return _command(options.command)(options)
    except KKError as exc:
        print(f"kkjupyter: {exc}", file=sys.stderr)
        return exit_code_for(exc)
    except KeyboardInterrupt:
        return ExitCode.CANCELLED


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, with help texts and examples."""
    parser = argparse.ArgumentParser(
        prog="kkjupyter",
        description="Call remote endpoints and watch their streams.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kkjupyter {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, epilog: str | None = None) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    _add_demo(add("demo", "open the example notebooks in JupyterLab"))
    _add_serve(
        add("serve", "serve a Python object over WebSocket, HTTP, stdio or a bus", _SERVE_EXAMPLES)
    )
    _add_call(add("call", "call a method and print its result or stream", _CALL_EXAMPLES))
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--headless", action="store_true", help="execute the first notebook in this terminal")
    add("--no-browser", action="store_true", help="only print the address")
    add("--port", type=_port, metavar="N", help="JupyterLab's port (default: a free one from 8888)")
    add(
        "--dir",
        type=Path,
        default=Path("kkjupyter-demo"),
        help="where to copy the notebooks (default: ./kkjupyter-demo); nothing is overwritten",
    )
    add(
        "--cell-timeout",
        type=_positive_number,
        default=120.0,
        metavar="S",
        help="with --headless: how many seconds a cell may take (default: 120)",
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("target", metavar="MODULE:NAME", help="what to serve; also path/file.py:name")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--http", action="store_true", help="HTTP instead of WebSocket: calls, but no streams"
    )
    how.add_argument(
        "--stdio", action="store_true", help="talk over stdin and stdout instead of a port"
    )
    how.add_argument(
        "--on",
        metavar="URL",
        help="on a message bus, such as nats://127.0.0.1:4222/lab.models; --token-env is its token",
    )
    add(
        "--workers",
        choices=["shared"],
        help="with --on: shared lets more servers take part under that name, each takes its calls",
    )
    add("--host", help="where to listen (default: 127.0.0.1)")
    add("--port", type=_port, metavar="N", help="the port; 0 picks a free one (default: 8765)")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", help="the token clients need (default: one is made and printed)")
    token.add_argument(
        "--token-env", metavar="NAME", help="the environment variable that holds the token"
    )
    token.add_argument("--no-token", action="store_true", help="serve everybody who can connect")
    add("--insecure", action="store_true", help="allow --no-token beyond this machine")
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="let clients ask for this server by NAME, too; can be repeated",
    )
    add(
        "--expose",
        action="append",
        default=[],
        metavar="NAME",
        help="let clients call or read NAME, too, such as df.head; can be repeated",
    )
    add(
        "--writable",
        action="append",
        default=[],
        metavar="NAME",
        help="let clients assign to NAME and all data below it, such as settings; can be repeated",
    )
    add(
        "--resume",
        type=_positive_number,
        metavar="S",
        help="let streams go on when a client's connection breaks and it is back within S seconds",
    )
    add("--debug", action="store_true", help="send tracebacks of errors to clients")


def _add_call(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "url", metavar="URL", help="such as ws://127.0.0.1:8765 or nats://127.0.0.1:4222/lab.models"
    )
    add("expression", help="such as 'countdown(5)'; arguments are literals")
    style = parser.add_mutually_exclusive_group()
    for name, text in (
        ("json", "write JSON lines"),
        ("text", "write strings without line ends between them, as for tokens"),
    ):
        style.add_argument(f"--{name}", dest="style", action="store_const", const=name, help=text)
    parser.set_defaults(style="plain")
    add("--take", type=_positive_integer, metavar="N", help="cancel after N values")
    add("--timeout", type=_positive_number, metavar="S", help="seconds to wait for the reply")
    add("--token-env", metavar="NAME", help="the environment variable that holds the token")
    add(
        "--header",
        action="append",
        default=[],
        metavar="'K: V'",
        help="a header to connect with; 'K: env:NAME' takes the value from the environment",
    )
    add(
        "--protocol",
        metavar="NAME",
        help="classic (kkrpc 0.x) or compact (2.x); detected if not given",
    )
    add("--codec", metavar="NAME", help="how values are encoded: superjson or json")
    add("--schema", metavar="PATH", help="Vovk: a .vovk-schema, a vovk-metadata.json, or its URL")


def _command(name: str) -> Callable[[argparse.Namespace], ExitCode]:
    """Import only what one command needs."""
    if name == "demo":
        from kkjupyter.cli.demo import run
    elif name == "serve":
        from kkjupyter.cli.serve import run
    else:
        from kkjupyter.cli.call import run
    return run


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(ExitCode.TERMINATED)  # an exception, so that everything is cancelled and closed


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid port (0 to {_LAST_PORT})")
    return int(text)
