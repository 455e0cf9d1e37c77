"""A toy language model: it has counted which token follows which, and rolls dice.

It works like the large ones, only smaller in every respect. A *token* is a piece of a word with
the space before it (" walk", "ing", ","). The model looks at the last few tokens, asks which
tokens followed them in the text it has read, and draws one of those. No numbers are learnt: the
text itself is the memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise
from random import Random
from typing import NamedTuple

__all__ = ["ToyModel", "breath", "load", "split"]

_ORDER = 3
"""How many tokens the model looks back at most."""

_WANDER = 0.2
"""How often it looks back one token less than it could, so as not to recite the book."""

_SHORTEST = 40
"""An answer has at least about this many tokens, unless the caller wants fewer."""

_EARLY = 12
"""A sentence has to mention a word within this many tokens to be one about it."""

_LATE = 150
"""So many tokens after its time an answer trails off; nearly always a sentence ends sooner."""

_SMALL_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        a about am an and any are as at be but by can could did do does for from had has have he
        her him his how i if in into is it its just like me my no not of on one or our please she
        so some tell than that the them then there they this to up us was we were what when where
        which who why will with would write you your . , ; : ! ? - ( )
        """,
    )
)
"""A prompt is not about these."""

_STOPS = (".", "!", "?")
_CLOSING = {'"': '"', "(": ")", '"(': ')"', '("': '")'}

_PIECE = re.compile(
    r"""
    \n\n                                                             # the end of a paragraph
    | [ ]? [A-Za-z]{3,}? (?= (?:ing|ed|ly|ness|ful|ment|tion)\b )    # a stem; its ending is next
    | [ ]? [A-Za-z]+                                                 # a word, or an ending
    | ' [a-z]+                                                       # the end of "don't"
    | [ ]? \d+
    | [ ]? \S
    | \s
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of text, and the quotation or brackets around it (``""``, ``'"'``, ``'("'``).

    Spoken and told words are different tokens. So the quotation marks of an answer pair up by
    themselves: after the words of a speech, only more speech or its end was ever seen.
    """

    text: str
    inside: str


def split(text: str) -> list[str]:
    """Cut ``text`` into pieces; joined, they give ``text`` again."""
    return _PIECE.findall(text)


def breath(token: str) -> float:
    """The relative pause after ``token``; 1 is the pause after an ordinary word."""
    if token.endswith((".", "!", "?", "\n")):
        return 6.0
    if token.endswith((",", ";", ":")):
        return 3.0
    return 0.5 + len(token) % 4 / 3  # 0.5 to 1.5, so that it does not tick like a clock


class ToyModel:
    """A model of one text.

    Args:
        text: the text to learn from: paragraphs between blank lines, with straight quotation marks.
    """

    def __init__(self, text: str) -> None:
        self._tokens = list(_with_place(split(text.strip() + "\n\n")))
        self._followers: defaultdict[tuple[Token, ...], list[Token]] = defaultdict(list)
        for end, token in enumerate(self._tokens):
            for length in range(1, min(_ORDER, end) + 1):
                self._followers[tuple(self._tokens[end - length : end])].append(token)
        self._starts = _sentence_starts(self._tokens)
        self._mentions: defaultdict[str, list[slice]] = defaultdict(list)
        for start, following in zip(self._starts, [*self._starts[1:], None], strict=True):
            for place, token in enumerate(self._tokens[start:following][:_EARLY], start):
                self._mentions[_word(token.text)].append(slice(start, place + 1))

    def tokens(self, prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        """Answer ``prompt``, a token at a time; the same prompt gets the same answer.

        The answer ends with a whole sentence: the first that ends after a random length of at most
        ``max_tokens``.
        """
        dice = Random(prompt)
        enough = dice.randint(min(_SHORTEST, max_tokens), max_tokens)
        said = self._opening(prompt, dice)
        yield said[0].text.lstrip()
        yield from (token.text for token in said[1:])
        while len(said) < enough + _LATE:
            token = self._next(said, dice)
            if len(said) >= enough and token.text == "\n\n":
                return
            said.append(token)
            yield token.text
            if len(said) >= enough and token.text in _STOPS and not token.inside:
                return
        yield "..." + _CLOSING.get(said[-1].inside, "")

    def _opening(self, prompt: str, dice: Random) -> list[Token]:
        """Begin like a sentence that has a word of the prompt, up to that word.

        The last word that the model knows is used: the topic usually comes late in a question.
        """
        words = [_word(piece) for piece in split(prompt)]
        known = [word for word in words if word in self._mentions and word not in _SMALL_WORDS]
        if known:
            return self._tokens[dice.choice(self._mentions[known[-1]])]
        start = dice.choice(self._starts)
        return self._tokens[start : start + 2]

    def _next(self, said: list[Token], dice: Random) -> Token:
        """Draw a token that was seen after the last ones."""
        for length in range(_ORDER, 1, -1):
            seen = self._followers.get(tuple(said[-length:]), [])
            certain = len(set(seen)) == 1
            if seen and not (certain and dice.random() < _WANDER):
                return dice.choice(seen)
        return dice.choice(self._followers[(said[-1],)])


@cache
def load() -> ToyModel:
    """Make the model of the text that comes with the package; only the first call takes time."""
    text = files("kkjupyter.demo").joinpath("alice.txt").read_text(encoding="utf-8")
    return ToyModel(text)


def _with_place(pieces: Iterable[str]) -> Iterator[Token]:
    """Note for each piece whether it is inside a quotation or brackets."""
    inside = ""
    for piece in pieces:
        mark = piece.strip()
        closes = (mark == '"' and inside.endswith('"')) or (mark == ")" and inside.endswith("("))
        yield Token(piece, inside)
        if closes:
            inside = inside[:-1]
        elif mark in ('"', "("):
            inside += mark
        elif piece == "\n\n":
            inside = ""


def _sentence_starts(tokens: list[Token]) -> list[int]:
    """Where sentences begin: after a paragraph, or after a full stop that no quotation holds."""
    starts = [0]
    for place, (last, token) in enumerate(pairwise(tokens), 1):
        ended = last.text == "\n\n" or (last.text in _STOPS and not last.inside)
        if ended and (token.text.strip().istitle() or token.text.strip() == '"'):
            starts.append(place)
    return starts


def _word(piece: str) -> str:
    return piece.strip().lower()
