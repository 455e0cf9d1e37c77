"""Traces as a notebook shows them: the table, the text, and ``%rpc trace``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

import kkjupyter as kk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.client.remote import Remote
from kkjupyter.notebook.shell import formatters
from kkjupyter.notebook.views.trace import display as traces
from kkjupyter.notebook.views.trace.html import trace_html
from kkjupyter.traces.recorder import everywhere
from kkjupyter.traces.trace import Trace, TraceRow

NASTY = '</td><script>alert(1)</script><b onclick="x">&amp;'
ROWS = (
    TraceRow(0.0, "out", "request", 1, 131, "countdown", payloads=(NASTY,)),
    TraceRow(0.0012, "in", "response (stream)", 1, 117, "", 0.0012),
    TraceRow(0.0121, "in", "chunk", 412, 28_100, "", 0.4),
    TraceRow(0.40, "in", "error", 1, 300, NASTY, 0.4),
    TraceRow(0.41, "here", "lost", 1, 0, "closed", 0.41),
)


def trace_of(*rows: TraceRow, title: str = "countdown(5)") -> Trace:
    return Trace(3, title, "ws://here:1", "compact, json", rows, True, True)


class Read(HTMLParser):
    """The elements of a page, the text of each cell, and that all are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ")


def test_the_table_says_all_without_any_style() -> None:
    bare = re.sub(r' (style|class)="[^"]*"', "", trace_html(trace_of(*ROWS)))
    assert Read(bare).rows == [
        ["time", "", "notebook ⟷ server", "", "size"],
        ["0.0 ms", "", f"request countdown {{…}}{NASTY}", "▶", "131 B"],
        ["1.2 ms", "◀", "response (stream)", "", "117 B"],
        ["12 ms", "◀", "chunk × 412", "", "28.1 kB"],
        ["400 ms", "◀", f"error {NASTY}", "", "300 B"],
        ["410 ms", "", "lost closed", "", ""],
    ]


def test_the_table_survives_a_sanitiser() -> None:
    read = Read(trace_html(trace_of(*ROWS, title=NASTY)))
    assert read.tags <= {
        *("div", "table", "thead", "tbody", "tr", "th", "td"),
        *("b", "span", "details", "summary", "pre"),
    }
    assert read.attributes == {"style", "class"}


def test_a_trace_of_nothing_says_so() -> None:
    assert "nothing has gone over the wire" in trace_html(trace_of())


def test_a_very_long_trace_is_shown_whole() -> None:
    rows = tuple(TraceRow(float(n), "out", "throw", 1, 1, str(n), float(n)) for n in range(250))
    assert trace_html(trace_of(*rows)).count("<tr") == 251
    assert trace_of(*rows).text.count("throw") == 250


def test_the_shell_shows_a_trace_as_a_diagram() -> None:
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    formatters.install(shell)
    shown, _ = shell.display_formatter.format(trace_of(*ROWS))
    assert "◄" in shown["text/plain"]
    assert shown["text/html"].startswith("<div")
    assert "image/png" not in shown
    listed, _ = shell.display_formatter.format([trace_of(*ROWS)])
    assert listed == {"text/plain": "[<Trace 3 countdown(5)>]"}
    formatters.uninstall(shell)
    shown, _ = shell.display_formatter.format(trace_of(*ROWS))
    assert set(shown) == {"text/plain"}


# ---- %rpc trace


@pytest.fixture
def api() -> Iterator[Remote]:
    with serve_in_memory({"add": lambda a, b: a + b}) as server, server.connect() as api:
        yield api
    everywhere.clear()


def test_last_is_the_last_call(api: Remote) -> None:
    api.add(1, 2).result()
    for words in (("last",), ("last", "api")):
        shown = traces.trace_command(words, {"api": api})
        assert isinstance(shown, Trace)
        assert shown.title == "add(1, 2)"


def test_on_and_off(api: Remote) -> None:
    names = {"api": api, "n": 1}
    keeps = []
    for words in (("on",), ("off",), ("on", "api"), ("off", "api")):
        told = traces.trace_command(words, names)
        assert isinstance(told, str)
        assert f"tracing is {words[0]}" in told
        api.add(1, 2).result()
        keeps.append(kk.trace().has_payloads)
    assert keeps == [True, False, True, False]
    traces.trace_command(("on",), names)
    assert "`%rpc trace off`" in str(traces.trace_command(("off", "api"), names))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "write `%rpc trace on"),
        (("of",), "write `%rpc trace on"),
        (("last", "a", "b"), "write `%rpc trace on"),
        (("on", "apj"), "did you mean 'api'"),
        (("on", "n"), "connected: api"),
    ],
)
def test_what_is_wrong_is_said(words: tuple[str, ...], text: str, api: Remote) -> None:
    names: dict[str, Any] = {"api": api, "n": 1}
    with pytest.raises(kk.UsageError, match=re.escape(text)):
        traces.trace_command(words, names)
