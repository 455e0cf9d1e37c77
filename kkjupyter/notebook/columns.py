"""Several runs side by side in one output: the screens of a comparison.

``labextension/src/columns.ts`` draws them while they run.
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.display import DisplayHandle

from kkjupyter.notebook.screens import Screen, TerminalScreen, WidgetScreen, is_terminal
from kkjupyter.notebook.status import Status
from kkjupyter.notebook.views import ViewChoice, make_view
from kkjupyter.notebook.views.bundle import LINE, MIME_TYPE, duration
from kkjupyter.notebook.widget import MODULE, LiveWidget, prefer_subshells, widget_reference

if TYPE_CHECKING:
    from kkjupyter.notebook.runs import Run

__all__ = ["columns_bundle", "figures", "open_columns"]

_HEADS = ("", "first item", "rate", "items", "time")
_FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
_TITLE = (
    f"padding: 4px 0 0 7.8px; font-family: {_FONT}; font-size: 13px; font-weight: 600; "
    "line-height: 20px; color: var(--jp-ui-font-color1, inherit); overflow-wrap: anywhere"
)
_COLUMN = (
    "flex: 1 1 280px; box-sizing: border-box; min-width: 0; "
    "border-top: 1px solid var(--jp-border-color2, #e0e0e0)"
)
_FIGURES = (
    f"margin: 8px 0 4px 7.8px; border-collapse: collapse; font-family: {_FONT}; font-size: 12px; "
    "line-height: 20px; color: var(--jp-ui-font-color1, inherit)"
)


def open_columns(runs: Mapping[str, Run], choice: ViewChoice) -> None:
    """Show runs side by side in the present cell; in a terminal, one after the other.

    Args:
        runs: by the name that stands above each.
        choice: the view of all of them.
    """
    if is_terminal():
        for name, run in runs.items():
            run.add_screen(_Held(name, choice))
        return
    columns = _Columns(runs)
    for name, run in runs.items():
        run.add_screen(columns.screen(name, run, choice))
    columns.display()


class ColumnsWidget(anywidget.AnyWidget):
    """What holds the widgets of the columns; it sends nothing but, if asked, the static bundle.

    Args:
        key: its id.
        columns: name and id of each, as the page needs them.
    """

    _esm = MODULE

    key = traitlets.Unicode().tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, key: str, columns: list[dict[str, str]]) -> None:
        self.bundle: dict[str, Any] | None = None
        super().__init__(key=key, model_id=key, columns=columns)
        prefer_subshells(self.comm)
        self.on_msg(self._answer)

    def _answer(self, widget: object, content: dict[str, Any], buffers: object) -> None:
        if content.get("kind") == "bundle" and self.bundle is not None:
            self.send({"kind": "bundle", "bundle": self.bundle})


class _Columns:
    """The columns of one cell; when the last of them has ended, the static output takes over."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self._runs = runs
        self._key = uuid.uuid4().hex
        self._widgets: dict[str, LiveWidget] = {}
        self._bundles: dict[str, dict[str, Any]] = {}
        self._handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        self._widget: ColumnsWidget | None = None

    def screen(self, name: str, run: Run, choice: ViewChoice) -> Screen:
        view = make_view(choice)
        widget = LiveWidget(
            view=view, status=run.status(), on_cancel=run.press_cancel, place=self._key
        )
        self._widgets[name] = widget
        return WidgetScreen(widget, view, lambda bundle: self._ended(name, bundle))

    def display(self) -> None:
        specs = [{"name": name, "key": widget.key} for name, widget in self._widgets.items()]
        self._widget = ColumnsWidget(self._key, specs)
        waiting = {"text/plain": "[not finished when saved]"}
        self._handle.display({**waiting, **widget_reference(self._key)}, raw=True)

    def _ended(self, name: str, bundle: dict[str, Any]) -> None:
        self._bundles[name] = bundle
        if len(self._bundles) < len(self._runs) or self._widget is None:
            return
        statuses = {name: run.status() for name, run in self._runs.items()}
        ordered = {name: self._bundles[name] for name in self._runs}
        self._widget.bundle = columns_bundle(ordered, statuses)
        self._handle.update(self._widget.bundle, raw=True)


class _Held(TerminalScreen):
    """In a terminal two streams cannot share a line: each is printed when it has ended."""

    def __init__(self, name: str, choice: ViewChoice) -> None:
        super().__init__(make_view(choice, in_terminal=True))
        self._name = name
        self._items: list[Any] = []

    def feed(self, items: Sequence[Any], status: Status) -> None:
        self._items.extend(items)

    def end(self, status: Status) -> None:
        self._write(f"── {self._name}\n")
        super().feed(self._items, status)
        super().end(status)


def figures(status: Status) -> list[str]:
    """Time to the first item, items per second after it, how many, and how long it took."""
    first, count, elapsed_s = status.first_item_s, status.count, status.elapsed_s
    rate = (count - 1) / (elapsed_s - first) if first is not None and elapsed_s > first else 0.0
    return [
        "–" if first is None else duration(first),
        _per_second(rate) if rate else "–",
        f"{count:,}",
        duration(elapsed_s),
    ]


def columns_bundle(
    bundles: Mapping[str, dict[str, Any]], statuses: Mapping[str, Status]
) -> dict[str, Any]:
    """The static output of a comparison, of those of its columns.

    Args:
        bundles: what each column left, by name.
        statuses: the runs at their ends, by name.
    """
    rows = [[name, *figures(status)] for name, status in statuses.items()]
    return {
        MIME_TYPE: {
            "view": "compare",
            "pane": "compare",
            "columns": [{"name": name, **bundle[MIME_TYPE]} for name, bundle in bundles.items()],
        },
        "text/html": _html(bundles, rows),
        "text/plain": _plain(bundles, rows),
    }


def _html(bundles: Mapping[str, dict[str, Any]], rows: Sequence[Sequence[str]]) -> str:
    columns = "".join(
        [
            f'<div style="{_COLUMN}"><div style="{_TITLE}">{html.escape(name)}</div>'
            f"{bundle['text/html']}</div>"
            for name, bundle in bundles.items()
        ]
    )
    grid = f'<div style="display: flex; flex-wrap: wrap; gap: 8px 16px">{columns}</div>'
    lines = "".join(
        [_table_row(row, is_head=index == 0) for index, row in enumerate([_HEADS, *rows])]
    )
    table = f'<div style="overflow-x: auto"><table style="{_FIGURES}">{lines}</table></div>'
    return f'<div style="{LINE}">{len(bundles)} streams</div>{grid}{table}'


def _table_row(row: Sequence[str], *, is_head: bool) -> str:
    cells = []
    for index, text in enumerate(row):
        tag = "th" if is_head or index == 0 else "td"
        style = "font-weight: normal; padding: 0 1.5em 0 0; line-height: 20px; text-align: "
        style += "left; white-space: nowrap" if index == 0 else "right; min-width: 9ch"
        if tag == "th":
            style += "; color: var(--jp-ui-font-color2, inherit)"
        cells.append(f'<{tag} style="{style}">{html.escape(text)}</{tag}>')
    return f'<tr style="background: none">{"".join(cells)}</tr>'


def _plain(bundles: Mapping[str, dict[str, Any]], rows: Sequence[Sequence[str]]) -> str:
    texts = [f"── {name}\n{bundle['text/plain'].rstrip()}\n" for name, bundle in bundles.items()]
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    lines = [
        "  ".join(
            [cell.ljust(width) if n == 0 else cell.rjust(width)
             for n, (cell, width) in enumerate(zip(row, widths, strict=True))]
        ).rstrip()
        for row in [_HEADS, *rows]
    ]  # fmt: skip
    return "\n".join([*texts, *lines])


def _per_second(rate: float) -> str:
    """Two significant digits, as ``perSecond`` of the front end."""
    if rate < 9.95:
        return f"{rate:.1f}/s"
    step = 10 ** (len(str(int(rate))) - 2)
    return f"{round(rate / step) * step:,}/s"
