"""The plot view: numbers as lines that grow."""

from __future__ import annotations

from kkjupyter.notebook.views.plot.view import PlotView

__all__ = ["PlotView"]
