"""Text of a peer's goes through no regular expression that takes quadratic time for some of it.

What is measured is the thread's own processor time, of 50,000 characters of the worst kinds; a
quadratic expression takes from 10 s to some minutes for one of them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import msgspec
import pytest

from kkjupyter.plaintext import plain, without_controls
from kkjupyter.traces.secrets import Excerpts
from kkjupyter.validation.mismatch import mismatch_of
from kkjupyter.wire.vovk.forms import read_form
from kkjupyter.wire.vovk.reply import read_failure

_CHARS = 50_000
_LIMIT_S = 2.0

_ATOMS = [
    "\\",
    '"',
    '\\\\"',
    '"token":"',
    '\\"token\\":\\"',
    'name="token"',
    'name="token"\n',
    'name="token"\nx\n',
    "Bearer ",
    "?token=",
    "a-",
    " ",
    "\x1b]",
    "\x1b[0;",
    "<script",
    "</script ",
    "//",
    " - at `$.v",
    "`$.v",
    'boundary="',
    '; name="',
]
_TEXTS = [atom * (_CHARS // len(atom)) for atom in _ATOMS] + [
    first + second * (_CHARS // len(second)) for first, second in itertools.permutations(_ATOMS, 2)
]


def _page(text: str) -> object:
    return read_failure(500, text.encode(), {"content-type": "text/html"})


def _misfit(text: str) -> object:
    found = mismatch_of(msgspec.ValidationError(text), dict[str, int], {}, lambda value, hint: True)
    return found.where


def _form(text: str) -> object:
    try:
        return read_form(f"--b\r\n{text}\r\n\r\n\r\n--b--".encode(), f"multipart/form-data; {text}")
    except Exception as exc:  # noqa: BLE001  what it makes of it is not the question here
        return exc


READERS: list[Callable[[str], object]] = [
    plain,
    lambda text: without_controls(text, keep_colours=True),
    Excerpts(["secret"]).hide,
    _misfit,
    _page,
    _form,
]


@pytest.mark.parametrize(
    "reader", READERS, ids=["printable", "colours", "secrets", "hints", "page", "form"]
)
@pytest.mark.slow
def test_no_text_takes_long(reader: Callable[[str], object]) -> None:
    for text in _TEXTS[: len(_ATOMS)] + _TEXTS[len(_ATOMS) :: 13]:
        begun_s = time.thread_time()
        reader(text)
        took_s = time.thread_time() - begun_s
        assert took_s < _LIMIT_S, f"{took_s:.1f} s for {text[:40]!r}..."
