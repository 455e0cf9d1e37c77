"""Turns pieces of chunks into records, as they come."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable
from typing import Any

from kkjupyter.notebook.safe_text import PairJoiner
from kkjupyter.notebook.views.answer.records import Record, RecordKind
from kkjupyter.notebook.views.answer.sound import Sound
from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.json import line_of
from kkjupyter.notebook.views.pieces import CallNews, CallResult, ErrorNews, Media, Piece, Told
from kkjupyter.plaintext import encodable

__all__ = ["Recorder"]

# The name of a call is told again after so much, for readers who have only the newest part.
_TELL_AGAIN_CHARS = 30_000
# About what a line takes besides its text.
_LINE_CHARS = 20
_GROWING: dict[str, RecordKind] = {"answer": "text", "reasoning": "think", "refusal": "refusal"}

_Key = tuple[RecordKind, int, Any]


class Recorder:
    """Makes records of the items of one stream. Texts that come together are one record.

    Args:
        clean: makes the peer's text safe for where it will be shown.
        now_s: the clock by which thinking is timed.
    """

    def __init__(
        self, clean: Callable[[str], str], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._clean: Callable[[str], str] = lambda text: clean(encodable(text))
        self._now_s = now_s
        self._at_s = 0.0
        self._made: list[Record] = []
        self._key: _Key | None = None
        self._texts: list[str] = []
        self._is_whole = False
        self._pairs = PairJoiner()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._thinking_since_s: dict[int, float] = {}
        self._chars = 0
        self._told_calls: dict[int, tuple[str, int]] = {}
        self._sounds: dict[int, Sound] = {}

    def records(self, items: Iterable[Any]) -> list[Record]:
        """The records of these items. Never raises."""
        self._at_s = self._now_s()
        for item in items:
            if type(item) is Piece:
                self._add_piece(item)
            elif (text := text_of(item)) is not None:
                self._grow("text", 0, text)
            elif issubclass(type(item), (bytes, bytearray, memoryview)):
                self._add_bytes(item)
            elif item is not None:
                self._add_value(item)
        self._put_texts()
        return self._taken()

    def finish(self) -> list[Record]:
        """What is left at the end: half a character, the end of a thought, a sound."""
        self._at_s = self._now_s()
        self._grow("text", 0, self._decoder.decode(b"", final=True))
        self._settle()
        for choice in [*self._thinking_since_s]:
            self._end_thought(choice)
        for choice, sound in self._sounds.items():
            if url := sound.url():
                self._put("audio", choice, url, sound.mime_type)
        return self._taken()

    def _taken(self) -> list[Record]:
        made, self._made = self._made, []
        return made

    # ---- pieces

    def _add_piece(self, piece: Piece) -> None:
        choice, detail = piece.choice, piece.detail
        if piece.kind in _GROWING:
            if piece:
                self._grow(_GROWING[piece.kind], choice, str(piece))
        elif isinstance(detail, CallNews):
            self._add_call(detail, choice)
        elif isinstance(detail, CallResult):
            self._add_result(detail, choice)
        elif isinstance(detail, Media):
            self._add_media(detail, str(piece), choice)
        elif isinstance(detail, ErrorNews):
            self._put("error", choice, self._clean(detail.text))
        elif isinstance(detail, Told):
            self._put(detail.what, choice, self._clean(detail.value))
        elif piece:
            self._put("note", choice, self._clean(str(piece).strip("[]")))

    def _add_call(self, news: CallNews, choice: int) -> None:
        name, told_at = self._told_calls.get(news.number, (None, 0))
        if name != news.name or self._chars - told_at > _TELL_AGAIN_CHARS:
            if not self._texts and self._made and self._made[-1][::3] == ("call", news.number):
                self._made.pop()  # a name that comes in pieces
            self._put("call", choice, self._clean(news.name), news.number)
            self._told_calls[news.number] = (news.name, self._chars)
        if news.is_anew:
            text = self._clean(news.arguments)
            self._put("anew", choice, text, news.number, is_whole=news.is_complete)
        elif news.arguments:
            self._grow("args", choice, news.arguments, news.number)
            self._is_whole = news.is_complete

    def _add_result(self, result: CallResult, choice: int) -> None:
        number = result.number
        if number is None:
            self._put("note", choice, self._clean(f"result of {result.name or 'a tool'}"))
        self._grow("result", choice, result.text, number)
        self._settle()

    def _add_media(self, media: Media, name: str, choice: int) -> None:
        mime_type = self._clean(media.mime_type)
        if media.kind == "image":
            data = f"data:{media.mime_type};base64,{media.data}" if media.data else media.url
            self._put("image", choice, self._clean(data), mime_type)
            return
        sound = self._sounds.get(choice)
        if sound is None:
            sound = self._sounds[choice] = Sound(media.mime_type)
            self._put("audio", choice, "", mime_type)
        sound.add(media)

    # ---- what is not a piece

    def _add_bytes(self, item: bytes | bytearray | memoryview) -> None:
        try:
            raw = bytes(item)
        except (ValueError, BufferError):  # a released memoryview
            self._add_value(item)
            return
        self._grow("text", 0, self._decoder.decode(raw))

    def _add_value(self, item: Any) -> None:
        try:
            line = line_of(item)
        except Exception as error:  # noqa: BLE001 - foreign code; the answer goes on without it
            line = f"<{type(item).__name__}: its text cannot be made ({type(error).__name__})>"
        self._put("value", 0, self._clean(line))

    # ---- records

    def _grow(self, kind: RecordKind, choice: int, text: str, number: int | None = None) -> None:
        if not text:
            return
        key = (kind, choice, number)
        if key != self._key:
            self._settle()
            self._key = key
            if kind != "think":
                self._end_thought(choice)
        if kind == "think":
            self._thinking_since_s.setdefault(choice, self._at_s)
        self._texts.append(text)

    def _put(
        self,
        kind: RecordKind,
        choice: int,
        text: str,
        extra: Any = None,
        *,
        is_whole: bool = False,
    ) -> None:
        self._settle()
        if kind != "role":
            self._end_thought(choice)
        self._make(Record(kind, choice, text, extra, is_whole))

    def _make(self, record: Record) -> None:
        self._made.append(record)
        self._chars += len(record.text) + _LINE_CHARS

    def _settle(self) -> None:
        """End the text that grows: what follows is something else."""
        self._put_texts(self._pairs.flush)
        self._key = None

    def _put_texts(self, rest: Callable[[], str] = lambda: "") -> None:
        if self._key is None:
            return
        text = self._clean(self._pairs.feed("".join(self._texts)) + rest())
        self._texts.clear()
        kind, choice, extra = self._key
        if kind == "think":
            since_s = self._thinking_since_s.get(choice, self._at_s)
            extra = round(self._at_s - since_s, 1)
        if text:
            self._make(Record(kind, choice, text, extra, self._is_whole))
        self._is_whole = False

    def _end_thought(self, choice: int) -> None:
        since_s = self._thinking_since_s.pop(choice, None)
        if since_s is not None:
            took_s = round(self._at_s - since_s, 1)
            # Where it came together with what follows, as in a stream that is shown again, nobody
            # knows how long it took.
            self._make(Record("thought", choice, "", took_s or None))
