"""A run as tables: for a terminal, for a page, beside an earlier run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from yardstick.figures import Change, Row, Run, Spread

__all__ = ["change_table", "markdown", "replaced", "table"]

BEGIN = "<!-- figures: made by `make bench DOCS=1` -->"
END = "<!-- end of the figures -->"

_HEAD = ("row", "per second", "±", "CPU µs", "server µs", "yardstick", "speed", "CPU", "")


def table(rows: Sequence[Row]) -> str:
    """Aligned columns; one line for each row below the heads.

    An import has its time in ms in the place of its rate. ``speed`` and ``CPU`` are shares of the
    yardstick's.
    """
    return _aligned([_HEAD, *map(_cells, rows)])


def markdown(run: Run) -> str:
    """The same as a Markdown table, with the machine below it, without what was before."""
    rows = [msgspec.structs.replace(row, since=None) for row in run.rows]
    heads = [head or "also" for head in _HEAD]
    marks = ["---", *["---:"] * (len(heads) - 2), "---"]
    lines = [heads, marks, *([f"`{cells[0]}`", *cells[1:]] for cells in map(_cells, rows))]
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    return (
        "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        + f"\n\n{run.began[:10]}, median of {run.rounds}: {facts}."
    )


def replaced(page: str, run: Run) -> str:
    """A page whose figures are those of ``run``.

    Raises:
        ValueError: the page has no place for figures.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{markdown(run)}\n\n{END}{after}"


def change_table(found: Sequence[Change]) -> str:
    """One line for each row that both runs have, those that are slower marked."""
    lines = [("row", "speed", "CPU", "")]
    for change in found:
        note = ""
        if change.is_slower:
            note = "SLOWER" + (", within the spread" if change.is_within_spread else "")
        lines.append((change.name, _percent(change.speed), _percent(change.cpu), note))
    return _aligned(lines)


def _cells(row: Row) -> tuple[str, ...]:
    ours, yard = row.ours, row.yardstick
    notes = [f"{name} {_short(spread.median)}" for name, spread in row.more.items()]
    if row.since is not None:
        notes.append(f"{_percent(row.since.median)} of the speed before")
    notes += [f"NOT KEPT: {broken}" for broken in row.broken]
    return (
        row.name,
        _rate(row, ours.per_s),
        f"{ours.per_s.share:.1%}",
        _micro(ours.cpu_us),
        _micro(ours.server_cpu_us),
        _rate(row, yard.per_s) if yard is not None else "",
        _percent(row.speed.median) if row.speed is not None else "",
        _percent(row.cpu.median) if row.cpu is not None else "",
        ", ".join(notes),
    )


def _rate(row: Row, per_s: Spread) -> str:
    if row.unit == "import":
        return f"{1000 / per_s.median:,.0f} ms"
    return f"{per_s.median:,.0f}"


def _micro(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{spread.median:,.2f}" if spread.median < 100 else f"{spread.median:,.0f}"


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at in (0, last) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in lines
    )
