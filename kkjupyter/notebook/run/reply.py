"""The result of a stream or call, a plain object to compute with, stored by ``--out``."""

from __future__ import annotations

import copy
import pickle
import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

from kkjupyter.errors import KKError, error_line
from kkjupyter.notebook.chunks.stream import ToolCall
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Items, Limits, Retained
from kkjupyter.notebook.run.dataframes import dataframe_of
from kkjupyter.notebook.run.driving import Moments
from kkjupyter.notebook.run.extractors import (
    Answer,
    Picker,
    Picking,
    Written,
    answer_of,
    as_they_are,
)
from kkjupyter.notebook.run_status import RunState
from kkjupyter.notebook.views.text_joining import TextJoiner

__all__ = ["Reply", "joined_text"]

_ERRORS = ("error", "view_error")
_KEPT = ("status", "first_item_s", "was_open", "shown_in", "is_text")


class Reply:
    """The result of a call or stream, complete up to the retention limits.

    It fills while the stream runs and does not hold the call itself. It can be copied and pickled,
    also while it fills: the copy has the items so far and does not change. A pickle contains the
    text that ``pick=`` made, not the function.

    Attributes:
        title: the call (``"countdown(5)"``).
        status: ``"waiting"``, ``"streaming"``, ``"cancelling"``, and at the end ``"done"``,
            ``"cancelled"`` or ``"failed"``.
        value: the value of a unary call, or a generator's return value; None until there is one.
        error: the exception that ended it, or None.
        view_error: the exception of a view that failed while it was shown (the stream went on, and
            the json view took its place), or None.
        first_item_s: seconds from the call to the first item, or None.
        was_open: whether the stream was open already when it was given: its times count from then.
        limits: the limits of what is kept.
        shown_in: the number of the execution whose cell has its newest view, or None; as the last
            line of that cell it is not shown again.
        is_text: whether a text view shows it: then bytes are text, and None is left out.
    """

    def __init__(
        self,
        title: str,
        limits: Limits = DEFAULT_LIMITS,
        pick: Picker = as_they_are,
        moments: Moments | None = None,
    ) -> None:
        self.title = title
        self._pick = pick
        self.status: RunState = "waiting"
        self.value: Any = None
        self.error: BaseException | None = None
        self.view_error: BaseException | None = None
        self.first_item_s: float | None = None
        self.was_open = False
        self.shown_in: int | None = None
        self.is_text = False
        self._newer: Reply | None = None
        self._kept_text: str | None = None
        self._latest_answer: tuple[int, Answer | None] = (0, None)
        self._retained = Retained(limits)
        self._moments = moments or Moments()
        self._given_at_s = time.monotonic()
        self._ended_at_s: float | None = None

    # What may be read, at any time and from any thread.

    @property
    def items(self) -> Items:
        """The items, as a list that cannot be changed and fills while the stream runs.

        Always the same list, so reading it costs nothing. ``.left_out`` says how many items are
        missing because of the limits.
        """
        return self._retained.items

    @property
    def latest(self) -> Reply:
        """The Reply of the newest answer in its output: this, or what *Regenerate* has begun since.

        Of a copy it is the copy.
        """
        return self if self._newer is None else self._newer

    @property
    def count(self) -> int:
        """How many items arrived in all, kept or not."""
        return self._retained.count

    @property
    def limits(self) -> Limits:
        """The limits of what is kept."""
        return self._retained.limits

    @property
    def text(self) -> str:
        """What was shown, as one text.

        Strings are joined as they are, other items are lines of JSON. In a stream of text, None is
        left out and bytes are UTF-8. For an LLM client's chunks it is only the answer
        (``reasoning``, ``tool_calls`` and ``usage`` have the rest). For a unary call it is the
        value as text. Never raises.
        """
        if self._kept_text is not None:
            return self._kept_text
        if not self._retained.count:
            if self.value is None or not self.is_over:
                return ""
            return joined_text([self.value], is_text=self.is_text)
        return self._text_of(*self._retained.parts())

    def _text_of(self, head: list[Any], newest: list[Any], left_out: int) -> str:
        text = joined_text(self._for_text(head), is_text=self.is_text)
        if not left_out:
            return text
        text += f"\n[... {left_out:,} items left out ...]\n"
        return text + joined_text(self._for_text(newest), is_text=self.is_text)

    def _for_text(self, items: Sequence[Any]) -> Sequence[Any]:
        if isinstance(self._pick, Picking):
            return self._pick.for_text(items)
        return self._pick(items)

    @property
    def reasoning(self) -> str:
        """What the model has thought before its answer; empty if the stream has none. Never raises.

        Like the properties below, it is taken from the items, whatever the view. Each is for the
        chunks of an LLM client's, and of several alternatives for the one with the lowest number.
        """
        return self._answer().reasoning

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tools that the model wants to be called, in order. Never raises.

        While the stream runs, the last one may not be complete.
        """
        return [*self._answer().tool_calls]

    @property
    def usage(self) -> dict[str, Any] | None:
        """What the provider has counted (tokens), by its own names; None if it said nothing.

        Never raises.
        """
        return copy.deepcopy(self._answer().usage)

    @property
    def message(self) -> dict[str, Any]:
        """The answer as chat APIs take it, to be appended to the messages of the next request.

        It has ``role`` and ``content``, and ``tool_calls`` if the model wants any. A stream that is
        not one of chunks gives its text. Never raises.
        """
        answer = self._answer()
        text = self.text if answer.text is None else _paired(answer.text)
        message: dict[str, Any] = {"role": answer.role, "content": text}
        if answer.tool_calls:
            message["content"] = text or None
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in answer.tool_calls
            ]
        return message

    def _answer(self) -> Answer:
        count, answer = self._latest_answer
        if answer is None or count != self._retained.count:
            head, newest, left_out = self._retained.parts()
            count = len(head) + len(newest) + left_out
            answer = answer_of([*head, *newest])
            self._latest_answer = (count, answer)
        return answer

    def dataframe(self, library: str | None = None) -> Any:
        """The items as a data frame of pandas or polars: a row for each, as they came.

        For a unary call it has the rows of the value. It warns about items that were left out.

        Args:
            library: ``"pandas"`` or ``"polars"``; by default the first of them that is installed.

        Raises:
            UsageError: it is not installed, or there is no such library.
        """
        items: Sequence[Any] = self._retained.items[:]
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
        """The parts of ``items`` that views show."""
        return self._pick(items)

    def shown_again(self, items: Sequence[Any]) -> Sequence[Any]:
        """The same for a view that comes later, of all kept items from the first one."""
        return self._pick.again(items) if isinstance(self._pick, Picking) else self._pick(items)

    @property
    def written(self) -> Written | None:
        """How much a language model has written so far; None if it is not such a stream."""
        return self._pick.written() if isinstance(self._pick, Picking) else None

    @property
    def elapsed_s(self) -> float:
        """Seconds from the call to its end, or until now."""
        ended_at_s = self._ended_at_s or self._moments.ended_at_s or time.monotonic()
        return ended_at_s - self._started_at_s

    @property
    def _started_at_s(self) -> float:
        return self._moments.asked_at_s or self._given_at_s

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("done", "cancelled", "failed")

    # Called by the run that fills it.

    def followed_by(self, reply: Reply) -> None:
        """The same was asked for once more, and ``reply`` is the answer."""
        self._newer = reply

    def extend(self, items: Sequence[Any]) -> None:
        """Add new items."""
        if items and self.first_item_s is None:
            came_at_s = self._moments.first_item_at_s or time.monotonic()
            self.first_item_s = came_at_s - self._started_at_s
        self._retained.extend(items)
        if items and self.status == "waiting":
            self.status = "streaming"

    def end(
        self, status: RunState, *, value: Any = None, error: BaseException | None = None
    ) -> None:
        """Set how it ended; it does not change afterwards."""
        self.value = value
        self.error = error
        self._ended_at_s = self._moments.ended_at_s or time.monotonic()
        self.status = status

    # Copying and pickling.

    def __copy__(self) -> Self:
        return self._twin(self._state())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        state = self._state()
        try:
            own = copy.deepcopy({name: state[name] for name in ("items", "value")}, memo)
        except TypeError as error:
            raise TypeError(self._why_not(error)) from error
        return self._twin({**state, **own})

    def __reduce__(self) -> tuple[Any, ...]:
        head, newest, left_out = parts = self._retained.parts()
        state = self._state(parts)
        if self._kept_text is None:
            state["text"] = self._text_of(head, newest, left_out) if head else self.text
        for name in _ERRORS:
            state[name] = None if state[name] is None else _KeptError(state[name])
        one_of_each = {type(item): item for item in reversed([*state["items"], self.value])}
        for item in one_of_each.values():
            try:
                pickle.dumps(item)
            except TypeError as error:
                raise TypeError(self._why_not(error)) from error
            except Exception:  # noqa: BLE001 - another pickler than this one may be able to
                continue
        return _restored, (state,)

    def _why_not(self, error: TypeError) -> str:
        return (
            f"{self.title}: its items cannot be pickled ({error}); keep reply.text, or a list of "
            "what you need of reply.items"
        )

    def _twin(self, state: dict[str, Any]) -> Self:
        twin = type(self).__new__(type(self))
        Reply.__init__(twin, self.title, self.limits, self._pick)
        twin._restore(state)
        return twin

    def _state(self, parts: tuple[list[Any], list[Any], int] | None = None) -> dict[str, Any]:
        """Its present content, for a copy."""
        head, newest, left_out = self._retained.parts() if parts is None else parts
        names = ("title", "limits", "elapsed_s", *_KEPT)
        return {
            **{name: getattr(self, name) for name in (*names, "value", *_ERRORS)},
            "items": [*head, *newest],
            "left_out": left_out,
            "gap_at": len(head),
            "text": self._kept_text,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        for name in (*_KEPT, "value"):
            setattr(self, name, state[name])
        self._retained = Retained.of(
            Items(state["items"], left_out=state["left_out"], gap_at=state["gap_at"]), self.limits
        )
        self._kept_text = state["text"]
        for name in _ERRORS:
            error = state[name]
            setattr(self, name, error.restored() if isinstance(error, _KeptError) else error)
        self._ended_at_s = time.monotonic()
        self._given_at_s = self._ended_at_s - state["elapsed_s"]

    def __repr__(self) -> str:
        number = self.count
        items = f"{number:,} item{'' if number == 1 else 's'}"
        if self.error is not None and self.status == "failed":
            after = f" after {items}" if number else ""
            return f"<Reply {self.title}: failed{after}, {error_line(self.error)}>"
        if self.status == "cancelled":
            return f"<Reply {self.title}: cancelled after {items}>"
        if number or self.status == "streaming":
            left_out = self._retained.items.left_out
            note = f" ({left_out:,} left out)" if left_out else ""
            return f"<Reply {self.title}: {self.status}, {items}{note}, {self.elapsed_s:.2f} s>"
        value = ""
        if self.status == "done" and self.value is not None:
            shown = repr(self.value)
            value = f", value {shown if len(shown) <= 60 else shown[:59] + '…'}"
        return f"<Reply {self.title}: {self.status}{value}, {self.elapsed_s:.2f} s>"


def _restored(state: dict[str, Any]) -> Reply:
    reply = Reply(state["title"], state["limits"])
    reply._restore(state)
    return reply


class _KeptError:
    """An error for a pickle, with a substitute in case it cannot be restored.

    Many exceptions can be pickled but not restored, because their classes take other arguments.
    """

    def __init__(self, error: BaseException) -> None:
        self._line = error_line(error)
        self._pickled: bytes | None
        try:
            self._pickled = pickle.dumps(error)
        except Exception:  # noqa: BLE001 - foreign code; the line stands for it
            self._pickled = None

    def restored(self) -> BaseException:
        """The error, or one of ours with its text."""
        if self._pickled is not None:
            try:
                error = pickle.loads(self._pickled)
            except Exception:  # noqa: BLE001 - as above
                return KKError(self._line)
            if isinstance(error, BaseException):
                return error
        return KKError(self._line)


def joined_text(items: Iterable[Any], *, is_text: bool = False) -> str:
    """Join strings as they are; any other item becomes a separate line of JSON.

    Never raises. Halves of a surrogate pair in two items become their character.

    Args:
        items: the items, in order.
        is_text: whether None is left out and bytes are UTF-8; always the case if the first item is
            a string.
    """
    items = list(items)
    first = next((item for item in items if item is not None), None)
    is_text = is_text or issubclass(type(first), str)
    joiner = TextJoiner(is_text=is_text)
    return _paired(joiner.feed(items) + joiner.flush())


def _paired(text: str) -> str:
    """``text`` with whole characters for the halves of pairs that stand side by side."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text
