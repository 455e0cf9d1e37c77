"""Replaces a view that raises an error by the json view, with all items so far."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from kkjupyter.errors import error_line
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.auto import AutoView
from kkjupyter.notebook.views.base import SAVED_BYTES, View
from kkjupyter.notebook.views.json import JsonView
from kkjupyter.notebook.views.saved_form import MIME_TYPE, static_bundle
from kkjupyter.notebook.views.transcript import Excerpt, Transcript

__all__ = ["FallbackView", "ViewOwner"]

logger = logging.getLogger("kkjupyter")


class ViewOwner(Protocol):
    """The part of a run that a failed view uses."""

    def status(self) -> Status: ...
    def shown_so_far(self) -> tuple[Sequence[Any], int]:
        """What views show of the kept items, and how many items are left out."""

    def view_failed(self, line: str, error: BaseException) -> None:
        """A view raised ``error``; ``line`` says so to the user."""


# Properties instead of attributes: each is the current view's.
# mypy: disable-error-code="override, misc"


class FallbackView(View):
    """Shows items with another view and, when that raises, with the json view.

    The new view begins with all kept items, the page draws it again, and one line names view, item
    and error. If the json view also fails, plain text takes its place, which never fails.

    Args:
        view: the view to show.
        in_terminal: whether printed text stays, so that only new items are shown differently.
    """

    def __init__(self, view: View, *, in_terminal: bool = False) -> None:
        self._view = view
        self._in_terminal = in_terminal
        self._owner: ViewOwner | None = None
        self._failures: list[tuple[str, BaseException]] = []
        self._fed = 0
        self._versions = 0
        self._sharing = 1
        # Reentrant: the replacement may fail while it is being installed.
        self._lock = threading.RLock()

    @classmethod
    def unmade(cls, choice: Any, error: Exception, *, in_terminal: bool = False) -> FallbackView:
        """The json view in place of one that could not be made."""
        made = cls(JsonView(), in_terminal=in_terminal)
        name = choice if isinstance(choice, str) else getattr(choice, "__name__", repr(choice))
        line = f"view {whole(name)!r} failed when it was made: {_line(error)}; shown as JSON"
        made._failures.append((line, error))
        return made

    def bind(self, owner: ViewOwner) -> None:
        """Set the owner of the items, before the first of them is fed."""
        self._owner = owner
        for line, error in self._failures:
            owner.view_failed(line, error)

    @property
    def name(self) -> str:
        """The name of the current view."""
        return str(self._view.name)

    @property
    def pane(self) -> str:
        """Likewise."""
        return self._view.pane

    @property
    def part(self) -> Any:
        """Likewise."""
        return self._view.part

    @property
    def version(self) -> int:
        """Counts how often the source was restarted, by any view."""
        return self._versions + self._view.version

    @property
    def is_behind(self) -> bool:
        """Whether the current view has held back values."""
        return self._view.is_behind

    @property
    def saved_bytes(self) -> int:
        """How much of the source goes into the notebook file."""
        return getattr(self._view, "saved_bytes", SAVED_BYTES)

    @property
    def transcript(self) -> Transcript:
        """The source so far."""
        view = self._view
        try:
            return view.transcript
        except Exception as error:  # noqa: BLE001 - a class without super().__init__()
            self._fall_back(view, error)
            return self._view.transcript

    @property
    def failures(self) -> int:
        """How often a view has failed so far."""
        return len(self._failures)

    def save_one_of(self, count: int) -> None:
        """Share the notebook file's limit with others, for any view. Never raises."""
        self._sharing = count
        view = self._view
        try:
            view.save_one_of(count)
        except Exception as error:  # noqa: BLE001 - a class without super().__init__()
            self._fall_back(view, error)

    def render(self, items: Sequence[Any]) -> str:
        """What the view makes of ``items``."""
        return self._view.render(items)

    def feed(self, items: Sequence[Any]) -> str:
        """Take the next values; if their view fails, the text of all so far. Never raises."""
        view, counted = self._view, _Counted(items)
        try:
            source = _checked(view.feed(counted))
        except BaseException as error:
            if _is_an_interrupt(error):
                raise
            source = self._fall_back(view, error, items, _place(self._fed, counted))
        self._fed += len(items)
        return source

    def catch_up(self) -> str:
        """What the view held back for a moment. Never raises."""
        view = self._view
        try:
            return _checked(view.catch_up())
        except BaseException as error:
            if _is_an_interrupt(error):
                raise
            return self._fall_back(view, error)

    def finish(self) -> str:
        """The rest that was held back. Never raises."""
        view = self._view
        try:
            return _checked(view.finish())
        except BaseException as error:
            if _is_an_interrupt(error):
                raise
            return self._fall_back(view, error, (), "at its end") + self._view.finish()

    def saved(self) -> Excerpt:
        """The source as far as a notebook file (or a reloaded page) gets it. Never raises."""
        view = self._view
        try:
            excerpt = view.saved()
            _checked(excerpt.text)
            return excerpt
        except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
            self._fall_back(view, error)
            return self._view.saved()

    def bundle(self, status: Status) -> dict[str, Any]:
        """The static output; that of the json view if the view's own fails. Never raises."""
        view = self._view
        try:
            return _sound(view.bundle(status))
        except BaseException as error:
            if _is_an_interrupt(error):
                raise
            self._fall_back(view, error, (), "in its saved output")
            return self.bundle(status if self._owner is None else self._owner.status())

    def bundle_as_it_is(self, status: Status) -> dict[str, Any]:
        """The static output of what was drawn so far, while the view may be busy on another thread.

        Runs no code of the user's.
        """
        view = self._view
        shown: object = view.chosen if isinstance(view, AutoView) else view
        try:
            if type(shown).__module__.startswith("kkjupyter."):
                return _sound(view.bundle(status))
        except Exception as error:  # noqa: BLE001 - likewise
            logger.warning("%s: %s, so it is saved as text", status.title, _line(error))
        excerpt, body = self.fitting()
        return static_bundle(self.name, "text", body, status, left_out=excerpt.left_out)

    def _fall_back(
        self, failed: View, error: BaseException, items: Sequence[Any] = (), place: str = ""
    ) -> str:
        """Replace the view ``failed``; returns the source of the new one."""
        with self._lock:
            if self._view is not failed:
                return ""  # another thread noticed the same failure
            stand_in: View = PlainView() if isinstance(failed, JsonView) else JsonView()
            stand_in.save_one_of(self._sharing)
            left_out = 0
            if not self._in_terminal and self._owner is not None:
                so_far, left_out = self._owner.shown_so_far()
                items = so_far or items
            kind = "plain text" if isinstance(stand_in, PlainView) else "JSON"
            where = f" {place}" if place else ""
            lacks = f" ({left_out:,} items are left out)" if left_out else ""
            line = f"view {_name(failed)!r} failed{where}: {_line(error)}; shown as {kind}{lacks}"
            self._failures.append((line, error))
            if self._owner is not None:
                self._owner.view_failed(line, error)
            self._versions += failed.version + 1
            self._view = stand_in
            try:
                return _checked(stand_in.feed(items))
            except BaseException as second:
                if _is_an_interrupt(second):
                    raise
                return self._fall_back(stand_in, second, items)


class PlainView(View):
    """Each value's repr on a separate line. Never raises."""

    name = "plain"

    def render(self, items: Sequence[Any]) -> str:
        """A line for each."""
        return "".join([f"{_plain(item)}\n" for item in items])


class _Counted(list[Any]):
    """Items that count how far they were read."""

    def __init__(self, items: Sequence[Any]) -> None:
        super().__init__(items)
        self.at: int | None = None
        """How many were looked at; None before the first and after the last."""

    def __iter__(self) -> Iterator[Any]:
        at = 0
        for item in super().__iter__():
            self.at = at = at + 1
            yield item
        self.at = None


def _place(before: int, counted: _Counted) -> str:
    if counted.at is not None:
        return f"at item {before + counted.at:,}"
    if len(counted) == 1:
        return f"at item {before + 1:,}"
    return f"between items {before + 1:,} and {before + len(counted):,}" if counted else ""


def _name(view: View) -> str:
    shown = view.chosen if isinstance(view, AutoView) else None
    shown = view if shown is None else shown
    return str(shown.name) or type(shown).__name__


def _checked(source: Any) -> str:
    """``source``, if it is text that can be sent."""
    if not isinstance(source, str):
        raise TypeError(f"a view returns text, not {type(source).__name__}")
    if not source.isascii():
        source.encode()
    return source


def _sound(bundle: Any) -> dict[str, Any]:
    """``bundle``, if it can be sent and shown in a column."""
    if not isinstance(bundle, dict):
        raise TypeError(f"a view's bundle is a dict, not {type(bundle).__name__}")
    for mime in ("text/plain", "text/html"):
        _checked(bundle.get(mime, ""))
    if not isinstance(bundle.get(MIME_TYPE, {}), dict):
        raise TypeError(f"{MIME_TYPE} of a bundle is a dict")
    return bundle


def _line(error: BaseException) -> str:
    try:
        return error_line(error)
    except Exception:  # noqa: BLE001 - an error of the user's whose text raises
        return type(error).__name__


def _plain(item: Any) -> str:
    try:
        return whole(repr(item)).replace("\n", " ").replace("\r", " ")
    except BaseException as error:
        if _is_an_interrupt(error):
            raise
        return f"<{type(item).__name__}: its repr raised {type(error).__name__}>"


def _is_an_interrupt(error: BaseException) -> bool:
    """Whether it is the user's interrupt: those reach only the main thread."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and isinstance(error, (KeyboardInterrupt, SystemExit))
