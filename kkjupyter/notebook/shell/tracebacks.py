"""The traceback of our errors in a cell: the user's own lines, and the peer's stack, folded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType

import IPython
from IPython import get_ipython

from kkjupyter.errors import KKError, RemoteError, did_you_mean, error_line
from kkjupyter.plaintext import encodable, plain, without_controls

__all__ = ["MAGIC_FILENAME", "hide_our_frames", "install", "render", "uninstall"]

MAGIC_FILENAME = "<%rpc>"
"""The file name of the expression in a magic's line, whose source Python cannot show."""

_STACK_LINES_SHOWN = 6
# The functions of IPython to which a line or a cell with a magic is turned into a call.
_MAGICS = ("run_line_magic", "run_cell_magic")
_FOREIGN = tuple(
    os.path.join(folder, "")
    for folder in (Path(__file__).parents[2], os.path.dirname(os.path.abspath(IPython.__file__)))
)


@cache
def _libraries() -> tuple[str, ...]:
    """The beginnings of file names of library code."""
    import sysconfig  # it reads Python's build configuration, which takes 5 ms

    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return (*_FOREIGN, "<frozen ", *map(sysconfig.get_path, names))


def render(error: KKError) -> list[str]:
    """The lines that IPython prints for ``error`` instead of its whole traceback.

    An error of a magic shows no frames, since there is only the line itself; any other error shows
    the user's own frames. A RemoteError adds the place on the other side.
    """
    # The peer's text is plain here; IPython adds colours and source lines.
    return [encodable(without_controls(line, keep_colours=True)) for line in _lines(error)]


def _lines(error: KKError) -> list[str]:
    shell = get_ipython()
    own = _own_frames(error.__traceback__)
    more = [*_near_miss(error), *_remote_stack(error)]
    if own is None or shell is None:
        return [error_line(error), *str(error).splitlines()[1:], *more]
    with _without_inner_reasons(error):
        lines: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, own, tb_offset=0
        )
    return [*lines, *more]


def _near_miss(error: KKError) -> list[str]:
    """A "did you mean" for the call of a name that the connection does not know."""
    if not isinstance(error, RemoteError) or not error.method:
        return []
    from kkjupyter.client.session import open_sessions  # a peer's error came over a connection

    known = {name for session in open_sessions() for name in session.methods}
    hint = "" if error.method in known else did_you_mean(error.method, sorted(known))
    return [hint.removeprefix("; ")] if hint else []


@contextmanager
def _without_inner_reasons(error: BaseException) -> Iterator[None]:
    """A block in which ``error`` has no causes from libraries below this package.

    A socket library's errors about a refused connection fill two screens and tell a user nothing
    new. The user's own causes and contexts, and the peer's, stay, without our frames.
    """
    with ExitStack() as undo:
        seen = {id(error)}
        is_ours = isinstance(error, KKError)
        while (reason := _reason(error)) is not None and id(reason) not in seen:
            seen.add(id(reason))
            if _is_inner(reason) and (is_ours or _is_caught_by_us(reason)):
                undo.callback(_restore_reasons, error, *_reasons(error))
                if error.__cause__ is None:
                    error.__suppress_context__ = True
                else:
                    error.__cause__ = None  # sets __suppress_context__, too
                break
            undo.callback(setattr, reason, "__traceback__", reason.__traceback__)
            reason.__traceback__ = _without_our_frames(reason.__traceback__)
            error = reason
        yield


def _reason(error: BaseException) -> BaseException | None:
    """The cause or context that a traceback shows above ``error``."""
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _reasons(error: BaseException) -> tuple[BaseException | None, bool]:
    return error.__cause__, error.__suppress_context__


def _restore_reasons(error: BaseException, cause: BaseException | None, suppress: bool) -> None:
    error.__cause__, error.__suppress_context__ = cause, suppress


def _is_caught_by_us(reason: BaseException) -> bool:
    traceback = reason.__traceback__
    return traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_FOREIGN[0])


def _is_inner(reason: BaseException) -> bool:
    """Whether an exception has no frames of the user's, and is not the peer's."""
    if isinstance(reason, RemoteError):
        return False
    frames = (part.tb_frame for part in _each(reason.__traceback__))
    return all(frame.f_code.co_filename.startswith(_libraries()) for frame in frames)


def hide_our_frames(error: BaseException) -> None:
    """Make IPython show an error that is not ours without the frames of this package.

    For errors that pass through: an interrupted wait, an exception of the user's own generator.
    Errors of ours are always shown like that.
    """
    if not isinstance(error, KKError):
        with suppress(AttributeError, TypeError):  # a class may refuse new attributes
            error._render_traceback_ = partial(_render_without_ours, error)  # type: ignore[attr-defined]


def _render_without_ours(error: BaseException) -> list[str]:
    kept = _without_our_frames(error.__traceback__)
    if kept is None and error.__traceback__ is not None:  # of a magic: there is only its line
        return [error_line(error)]
    shell = get_ipython()
    with _without_inner_reasons(error):
        lines: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, kept, tb_offset=0
        )
    return lines


def _without_our_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The user's part of a traceback.

    Without the line of our magic, too: it would be shown as the call that IPython makes of it.
    """
    kept: TracebackType | None = None
    below: TracebackType | None = None
    for part in reversed([*_each(traceback)]):
        if not _is_foreign(part) and not _runs_our_magic(below):
            kept = TracebackType(kept, part.tb_frame, part.tb_lasti, part.tb_lineno)
        below = part
    return kept


def _runs_our_magic(part: TracebackType | None) -> bool:
    if part is None or part.tb_frame.f_code.co_name not in _MAGICS or not _is_foreign(part):
        return False
    return part.tb_frame.f_locals.get("magic_name") == "rpc"


def _each(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The user's part of a traceback: up to where it enters this package or IPython.

    None if a magic was called: then the user's part is the line with the magic.
    """
    while traceback is not None and _is_foreign(traceback):
        traceback = traceback.tb_next
    own: list[TracebackType] = []
    while traceback is not None and not _is_foreign(traceback):
        own.append(traceback)
        traceback = traceback.tb_next
    if traceback is not None and traceback.tb_frame.f_code.co_name in _MAGICS:
        return None
    kept: TracebackType | None = None
    for part in reversed(own):
        kept = TracebackType(kept, part.tb_frame, part.tb_lasti, part.tb_lineno)
    return kept


def _is_foreign(traceback: TracebackType) -> bool:
    filename = traceback.tb_frame.f_code.co_filename
    return filename == MAGIC_FILENAME or filename.startswith(_FOREIGN)


def _remote_stack(error: BaseException) -> list[str]:
    if not isinstance(error, RemoteError) or not error.stack:
        return []
    lines = [line for line in plain(error.stack).strip().splitlines() if line.strip()]
    # Peers repeat the error: JavaScript in the first line, Python in the last.
    if lines and error.message and error.message in lines[0]:
        lines = lines[1:]
    if lines and lines[-1].strip() == str(error).strip():
        lines = lines[:-1]
    if lines and lines[0].startswith("Traceback (most recent"):
        lines = lines[1:]
    if not lines:
        return []
    folded = len(lines) - _STACK_LINES_SHOWN
    more = [f"    ... {folded} more lines in the error's .stack"] if folded > 1 else []
    shown = lines[:_STACK_LINES_SHOWN] if folded > 1 else lines
    return ["", "on the remote side:", *(f"  {line}" for line in shown), *more]


def install() -> None:
    """Make IPython use :func:`render` for every error of this package."""
    KKError._render_traceback_ = render  # type: ignore[attr-defined]


def uninstall() -> None:
    """Undo :func:`install`."""
    if "_render_traceback_" in vars(KKError):
        del KKError._render_traceback_  # type: ignore[attr-defined]
