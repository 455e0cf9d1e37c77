"""The answers of one output: the newest, those before it, and the way to the next."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from kkjupyter.notebook.output.ended import size_of_bundle
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.views.earlier import alone, with_earlier, within

__all__ = ["NO_ANSWERS", "Answers", "Asking", "EarlierAnswers"]

# A smaller limit is for the source of one view.
_LEAST_BYTES = 100_000


class EarlierAnswers(NamedTuple):
    """The answers that were in an output before its present one.

    Attributes:
        bundles: their finished outputs, oldest first.
        left_out: how many were before those.
    """

    bundles: Sequence[Mapping[str, Any]] = ()
    left_out: int = 0


NO_ANSWERS: Final = EarlierAnswers()


class Asking(Protocol):
    """Asks once more for what an output shows."""

    @property
    def held_bytes(self) -> int:
        """About how much memory it takes to be able to."""

    def __call__(self, output: Any, /) -> None:
        """Begin the next run in the place of ``output``. Returns at once; any thread.

        If that fails, :meth:`Answers.asked_in_vain` is called.
        """


class Answers:
    """What one output needs to have earlier answers above it, and to be asked for again.

    Args:
        earlier: the answers before this one.
        limit_bytes: how much of a notebook file all may take together.

    Attributes:
        is_all_that_is_kept: whether everything else of the output is in the notebook file by now.
    """

    def __init__(self, earlier: EarlierAnswers, limit_bytes: int) -> None:
        self.is_all_that_is_kept = False
        self._earlier = earlier
        self._limit_bytes = max(limit_bytes, _LEAST_BYTES)
        self._own: Mapping[str, Any] | None = None
        self._asking: Asking | None = None
        self._is_in_place = self._is_asked = False
        self._stand_in: tuple[str, _StandIn] | None = None
        self._lock = threading.Lock()

    # ---- the output while it runs, and its end

    def offer(self, asking: Asking) -> None:
        """It can be asked for again when it has ended. Before its end."""
        self._asking = asking

    def form(self, bundle: Mapping[str, Any]) -> dict[str, Any]:
        """The output with the answers before it."""
        bundles, left_out = self._earlier
        return with_earlier(bundle, bundles, left_out=left_out, limit_bytes=self._limit_bytes)

    def ended(self, bundle: Mapping[str, Any], *, can_be_asked: bool) -> dict[str, Any]:
        """This answer is finished.

        Args:
            bundle: its own output.
            can_be_asked: False if it shows nothing that could be shown again.

        Returns:
            What its JSON says of it.
        """
        bundles, left_out = self._earlier
        kept = within(bundle, bundles, self._limit_bytes)
        self._earlier = EarlierAnswers(kept, left_out + len(bundles) - len(kept))
        if not can_be_asked:
            self._asking = None
        if self._asking is None:
            return {}
        self._own = alone(bundle)
        return {"again": True}

    def in_place(self) -> None:
        """Its finished form is in the notebook: from now on another one may take its place."""
        self._is_in_place = True

    # ---- asking; any thread

    @property
    def can_be_asked(self) -> bool:
        """Whether the kernel can ask for it once more."""
        return self._asking is not None and self._own is not None

    def ask(self, output: Any) -> dict[str, Any] | None:
        """Somebody has pressed the button of ``output``; twice is like once.

        Returns:
            The message that it was heard; None if there is nothing to do.
        """
        with self._lock:
            asking = self._asking
            if asking is None or self._own is None or not self._is_in_place:
                return None
            is_first, self._is_asked = not self._is_asked, True
        if is_first:
            asking(output)
        return {"kind": "asked"}

    def asked_in_vain(self) -> None:
        """It could not begin: the button may be pressed again."""
        self._is_asked = False

    def next_earlier(self) -> EarlierAnswers:
        """The answers before the next one."""
        bundles, left_out = self._earlier
        return EarlierAnswers([*bundles, *([] if self._own is None else [self._own])], left_out)

    def stand_in(self, key: str, form: Callable[[], dict[str, Any] | None]) -> None:
        """Answer those that still have the output before this one.

        Args:
            key: that output's.
            form: this output as it is then; a method of an object, which is not held.
        """
        stand_in = _StandIn(form)
        self._stand_in = key, stand_in
        page_views.add(key, stand_in)

    # ---- what is kept

    @property
    def held_bytes(self) -> int:
        """About how much memory is kept for the next answer."""
        if self._asking is None:
            return 0
        return self._asking.held_bytes + sum(map(size_of_bundle, self.next_earlier().bundles))

    def forget(self) -> None:
        """Keep nothing more of it: it cannot be asked for again."""
        self._asking = self._own = None
        self._earlier = NO_ANSWERS

    def close(self) -> None:
        """Answer nobody any more. Idempotent."""
        if self._stand_in is not None:
            page_views.remove(self._stand_in[0])
            self._stand_in = None


class _StandIn:
    """What answers under the key of an output whose place another one has taken."""

    def __init__(self, form: Callable[[], dict[str, Any] | None]) -> None:
        self._form = weakref.WeakMethod(form)

    def answer(self, content: dict[str, Any]) -> dict[str, Any] | None:
        form = self._form()
        bundle = None if form is None else form()
        match content:
            case {"kind": "again"} if bundle is not None:
                return {"kind": "again", "bundle": bundle}
            case {"kind": "askable"}:
                return {"kind": "askable", "again": bundle is not None}
        return {"kind": "unknown"}
