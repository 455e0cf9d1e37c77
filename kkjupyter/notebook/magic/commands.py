"""The ``%rpc`` commands; the magic parses a line and delegates to them."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
from collections.abc import Mapping
from typing import Any

from kkjupyter.api import functions
from kkjupyter.api.status import status
from kkjupyter.calls.call import Call, is_stream
from kkjupyter.client.remote import Remote, describe, get_remote
from kkjupyter.errors import UsageError, did_you_mean
from kkjupyter.notebook.magic.connections import Connections
from kkjupyter.notebook.magic.options import CALL, COMMANDS, Options, options_of
from kkjupyter.notebook.magic.parser import Request, interpolate, with_body
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.shell.remote_repr import group_cure, name_of
from kkjupyter.notebook.shell.tracebacks import MAGIC_FILENAME, hide_our_frames
from kkjupyter.notebook.show.compare import Compared, Replies
from kkjupyter.notebook.show.show import Shown
from kkjupyter.notebook.show.waiting import begin, check_view, outcome, play, show_again, wait
from kkjupyter.notebook.views.trace.display import trace_command
from kkjupyter.traces.recorder import keep_payloads_here
from kkjupyter.traces.trace import Trace
from kkjupyter.wire.values.javascript import undefined

__all__ = ["Commands"]

_FOR_COMPARISONS = ("--out", "--trace", "--interpolate")


class Commands:
    """The commands of one shell.

    Args:
        shell: the IPython shell with the user's variables.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.connections = Connections(shell.user_ns)

    # ---- sub-commands

    def connect(self, request: Request) -> None:
        """``connect URL [as NAME]``"""
        print(self.connections.connect(request.words, request.options))

    def close(self, request: Request) -> None:
        """``close NAME``"""
        print(self.connections.close(request.words))

    def status(self, request: Request) -> None:
        """``status``"""
        _expect_words(request, 0)
        lines = [repr(status())]
        calls = {call.id for call in status().calls}
        for run in registry.running():
            if run.number not in calls:
                count = f"{run.reply.count:,} item{'' if run.reply.count == 1 else 's'}"
                lines.append(f"  {run.number:>4}  {run.title}  {run.reply.status}, {count}")
        print("\n".join(lines))

    def cancel(self, request: Request) -> None:
        """``cancel [ID | --all]``"""
        running = registry.running()
        if request.options.all:
            _expect_words(request, 0)
            runs = running
        elif request.words:
            _expect_words(request, 1)
            runs = [_run_of(request.words[0])]
        else:
            runs = running[-1:]
        cancelled = [run.title for run in runs if run.cancel()]
        for run in runs:
            wait(run) if run.is_ending else None
        if cancelled:
            print(f"cancelled {', '.join(cancelled)}")
        else:
            print(f"{runs[0].title} has already ended" if runs else "nothing is streaming")

    def show(self, request: Request) -> None:
        """``show ID``"""
        _expect_words(request, 1)
        check_view(request.options.view)
        run = _run_of(request.words[0])
        show_again(run, request.options.view)

    def trace(self, request: Request) -> Trace | None:
        """``trace on | off | last [NAME]``"""
        outcome = trace_command(request.words, self._shell.user_ns)
        if isinstance(outcome, Trace):
            return outcome
        print(outcome)
        return None

    # ---- a call

    def call(self, request: Request, body: str | None, local_ns: Mapping[str, Any]) -> Any:
        """Evaluate the expression and show its result.

        Returns:
            A unary call's value, a stream's Reply, or any other value as it is.

        Raises:
            UsageError: the expression is not valid.
            BaseException: what it raised, or the error of the call.
        """
        options = request.options
        check_view(options.view)
        names = {**self._shell.user_ns, **local_ns}
        if body is None and options.interpolate:
            raise UsageError("--interpolate works only in %%rpc, where it fills in the text below")
        if body is not None:
            text = interpolate(body, names) if options.interpolate else body
            request = with_body(request, text, named=self._takes_body(request, names))
        with keep_payloads_here() if options.trace else contextlib.nullcontext():
            source = self._stream_of(self._evaluate(request, local_ns), request)
        if isinstance(source, Compared):
            self._check_compared(source, options)
            self._store(source.replies, options)
            return source.last_line()
        if isinstance(source, Shown):
            if all(run.reply is not source.reply for run in registry.all()):
                source.cancel()  # made for this line only: nothing else will show it
            raise UsageError("%rpc shows the stream itself: leave kk.show(...) out")
        if not isinstance(source, Call) and not is_stream(source):
            return source
        if isinstance(source, Call) and (known := registry.get(source.id)) is not None:
            self._store(known.reply, options)
            show_again(known, options.view)
            return self._shown(known)
        run = begin(
            source,
            options.view,
            keep=options.keep,
            take=options.take,
            for_s=options.for_s,
            timeout_s=options.timeout_s,
            shows_value=options.background,
        )
        self._store(run.reply, options)
        play(run, options.view, background=options.background, shown=options.no_raise)
        return self._shown(run, raises=not options.no_raise)

    def _check_compared(self, compared: Compared, options: Options) -> None:
        for option in options_of(CALL):
            if option.name not in _FOR_COMPARISONS and getattr(options, option.field):
                compared.cancel()
                raise UsageError(
                    f"{option.name} has no effect inside kk.compare(...); use its own arguments: "
                    "kk.compare({...}, view=...)"
                )

    def _store(self, reply: Reply | Replies, options: Options) -> None:
        if options.out is not None:
            self._shell.user_ns[options.out] = reply

    def _shown(self, run: Run, *, raises: bool = True) -> Any:
        reply = run.reply
        result = outcome(run) if run.is_over and (raises or reply.status != "failed") else reply
        return None if result is undefined else result

    def _evaluate(self, request: Request, local_ns: Mapping[str, Any]) -> Any:
        assert request.expression is not None
        code = compile(request.expression, MAGIC_FILENAME, "eval")
        user_ns = self._shell.user_ns
        # In a function, its locals are added to one namespace, so that lambdas see them, too.
        names: dict[str, Any] = user_ns
        if local_ns is not user_ns:
            names = {**user_ns, **local_ns}
        try:
            return eval(code, names)
        except NameError as error:
            traceback = error.__traceback__
            inner = traceback.tb_next if traceback is not None else None
            if inner is None or inner.tb_next is not None or error.name is None:
                hide_our_frames(error)  # it comes from a function of the user's
                raise
            known = [name for name in (*names, *COMMANDS) if not name.startswith("_")]
            raise UsageError(f"{error}{did_you_mean(error.name, known)}") from None
        except BaseException as error:
            hide_our_frames(error)
            raise

    def _takes_body(self, request: Request, names: Mapping[str, Any]) -> bool:
        """Whether the call, or the call in ``kk.call``, is for a Vovk handler, whose input has
        names.

        Only dotted names are looked up, which runs no code of the user's.
        """
        call = request.expression.body if request.expression is not None else None
        if not isinstance(call, ast.Call):
            return False
        called = _looked_up(call.func, names)
        if called is functions.call and call.args:
            called = _looked_up(call.args[0], names)
        return _is_vovk(called)

    def _stream_of(self, value: Any, request: Request) -> Any:
        """``value``, or the stream that was meant by it; the error names what was forgotten."""
        if isinstance(value, Remote) and describe(value).path:
            if request.awaited:
                return get_remote(value)
            name = name_of(value, self._shell)
            if (group := group_cure(value, name)) is not None:
                raise UsageError(group)
            reads = "" if _is_vovk(value) else f", `%rpc await {name}` reads it"
            raise UsageError(f"{name} is not called yet: {name}(...) calls it{reads}")
        if inspect.iscoroutine(value):
            value.close()
            raise UsageError(
                "the expression gave a coroutine, and a magic cannot wait for it: write "
                f"`value = await {request.source.removeprefix('await ')}` on its own line"
            )
        if request.awaited and not isinstance(value, (Call, Remote)) and not is_stream(value):
            raise UsageError(f"nothing to await: the expression gave {type(value).__name__}")
        return value


def _is_vovk(value: object) -> bool:
    return isinstance(value, Remote) and describe(value).protocol == "vovk"


def _looked_up(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of names such as ``api.HelloRPC["streamTokens"]``; None for any other code."""
    match node:
        case ast.Name():
            return names.get(node.id)
        case ast.Attribute():
            key = node.attr
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            pass
        case _:
            return None
    holder = _looked_up(node.value, names)
    if holder is sys.modules["kkjupyter"]:
        return getattr(holder, key, None)
    if not _is_vovk(holder):
        return None
    try:
        return holder[key]
    except UsageError:  # evaluating it will report that
        return None


def _run_of(word: str) -> Run:
    run = registry.get(int(word)) if word.isdecimal() else None
    if run is None and word.isdecimal() and (title := registry.gone(int(word))) is not None:
        raise UsageError(
            f"{title} has ended, and its Reply was not kept, so it cannot be shown again; keep it "
            "with --out NAME, or in a variable"
        )
    if run is None:
        known = ", ".join(f"{run.number} {run.title}" for run in registry.all()) or "none yet"
        raise UsageError(f"unknown stream {word} (known: {known})")
    return run


def _expect_words(request: Request, number: int) -> None:
    if len(request.words) != number:
        raise UsageError(f"write `%rpc {COMMANDS[request.command].usage}`")
