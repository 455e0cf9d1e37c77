"""What a stream or call left behind: a plain object to compute with, stored by ``--out``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from kkjupyter.errors import RemoteError
from kkjupyter.notebook.characters import whole
from kkjupyter.notebook.dataframes import dataframe_of
from kkjupyter.notebook.picking import Picker, as_they_are
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Items, Limits, Retained
from kkjupyter.notebook.status import RunState
from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.jsonlines import line_of

__all__ = ["Reply", "error_line", "joined_text"]


class Reply:
    """What came of a call or stream, complete up to the retention limits.

    It fills while the stream runs and does not hold the call itself.

    Attributes:
        title: what was called (``"countdown(5)"``).
        status: ``"waiting"``, ``"streaming"``, ``"cancelling"``, and at the end ``"done"``,
            ``"cancelled"`` or ``"failed"``.
        value: the value of a unary call, or a generator's return value; None until there is one.
        error: the exception that ended it, or None.
        first_item_s: seconds from the call to the first item, or None.
        limits: what is kept at most.
        shown_in: the number of the execution whose cell has its newest view, or None; as the last
            line of that cell it is not shown once more.
    """

    def __init__(
        self, title: str, limits: Limits = DEFAULT_LIMITS, pick: Picker = as_they_are
    ) -> None:
        self.title = title
        self._pick = pick
        self.status: RunState = "waiting"
        self.value: Any = None
        self.error: BaseException | None = None
        self.first_item_s: float | None = None
        self.shown_in: int | None = None
        self._retained = Retained(limits)
        self._started_at = time.monotonic()
        self._ended_at: float | None = None

    # What may be asked, at any time and from any thread.

    @property
    def items(self) -> Items:
        """The items, as a list; ``.left_out`` says how many are missing beyond the limits."""
        return self._retained.items()

    @property
    def count(self) -> int:
        """How many items came in all, kept or not."""
        return self._retained.count

    @property
    def limits(self) -> Limits:
        """What is kept at most."""
        return self._retained.limits

    @property
    def text(self) -> str:
        """What was shown, as one text. Strings are joined as they are, the rest is lines of JSON.

        For a unary call it is the value as text.
        """
        items = self._retained.items()
        if not self._retained.count:
            return "" if self.value is None or not self.is_over else joined_text([self.value])
        text = joined_text(self.shown(items[: items.gap_at] if items.left_out else items))
        if items.left_out:
            text += f"\n[... {items.left_out:,} items left out ...]\n"
            text += joined_text(self.shown(items[items.gap_at :]))
        return text

    def dataframe(self, library: str | None = None) -> Any:
        """The items as a data frame of pandas or polars: a row for each, as they came.

        Of a unary call it has the rows of the value. Items that are left out are warned of.

        Args:
            library: ``"pandas"`` or ``"polars"``; by default the first of them that is installed.

        Raises:
            UsageError: it is not installed, or there is no such library.
        """
        items: Sequence[Any] = self._retained.items()
        if not self._retained.count and self.value is not None:
            items = self.value if isinstance(self.value, list) else [self.value]
        left_out = self._retained.count - len(items) if self._retained.count else 0
        if left_out:
            warnings.warn(
                f"{self.title}: {left_out:,} of {self._retained.count:,} items were left out "
                "(limits= keeps more); the data frame does not have them",
                stacklevel=2,
            )
        return dataframe_of(items, library)

    def shown(self, items: Sequence[Any]) -> Sequence[Any]:
        """What views show of ``items``."""
        return self._pick(items)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the call to its end, or until now."""
        return (self._ended_at or time.monotonic()) - self._started_at

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("done", "cancelled", "failed")

    # What the one who fills it calls.

    def extend(self, items: Sequence[Any]) -> None:
        """Add items that came."""
        if items and self.first_item_s is None:
            self.first_item_s = time.monotonic() - self._started_at
        self._retained.extend(items)
        if items and self.status == "waiting":
            self.status = "streaming"

    def end(
        self, status: RunState, *, value: Any = None, error: BaseException | None = None
    ) -> None:
        """Say how it ended; nothing changes afterwards."""
        self.value = value
        self.error = error
        self._ended_at = time.monotonic()
        self.status = status

    def __repr__(self) -> str:
        number = self.count
        items = f"{number:,} item{'' if number == 1 else 's'}"
        if self.error is not None and self.status == "failed":
            after = f" after {items}" if number else ""
            return f"<Reply {self.title}: failed{after}, {whole(error_line(self.error))}>"
        if self.status == "cancelled":
            return f"<Reply {self.title}: cancelled after {items}>"
        if number or self.status == "streaming":
            left_out = self._retained.items().left_out
            note = f" ({left_out:,} left out)" if left_out else ""
            return f"<Reply {self.title}: {self.status}, {items}{note}, {self.elapsed_s:.2f} s>"
        value = ""
        if self.status == "done" and self.value is not None:
            shown = repr(self.value)
            value = f", value {shown if len(shown) <= 60 else shown[:59] + '…'}"
        return f"<Reply {self.title}: {self.status}{value}, {self.elapsed_s:.2f} s>"


def joined_text(items: Iterable[Any]) -> str:
    """Join strings as they are; anything else becomes a line of JSON of its own.

    Halves of a surrogate pair that came in two items become the character they stand for.
    """
    parts: list[str] = []
    at_line_start = True
    for item in items:
        own = text_of(item)
        if own is not None:
            parts.append(own)
            at_line_start = own.endswith("\n") if own else at_line_start
            continue
        line = line_of(item)
        parts.append(f"{line}\n" if at_line_start else f"\n{line}\n")
        at_line_start = True
    text = "".join(parts)
    if any("\ud800" <= char <= "\udfff" for char in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text


def error_line(error: BaseException) -> str:
    """An error in one line: ``"ValueError: something went wrong"``."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    if isinstance(error, RemoteError) and error.name not in ("", "Error"):
        return first  # it begins with the remote side's name for it
    name = type(error).__name__
    return f"{name}: {first}" if first else name
