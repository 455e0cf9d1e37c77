"""Regenerate: the same is asked for once more, and the answer takes the place of the one before.

The button's question arrives on the control channel (``notebook/output/control.py``), also while a
cell runs. The new run is one in the background, of the same cell.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import TYPE_CHECKING

from kkjupyter.notebook.output.front_end import FrontEnd, front_end
from kkjupyter.notebook.output.screens import CellScreen, DrawnScreen, made_view
from kkjupyter.notebook.run.anew import Anew
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.views import ViewChoice

if TYPE_CHECKING:
    from kkjupyter.notebook.output.live_output import LiveOutput
    from kkjupyter.notebook.output.places import Place

__all__ = ["offer_again"]

logger = logging.getLogger("kkjupyter")


def offer_again(screen: DrawnScreen, run: Run, choice: ViewChoice) -> None:
    """Let what ``screen`` shows be asked for once more, if it can be. In the context of its cell.

    Args:
        screen: shows the run; not ended yet.
        run: what it shows.
        choice: the view, which the next run gets, too.
    """
    # Elsewhere nothing has the button.
    if run.anew is None or not isinstance(screen, CellScreen) or front_end() is not FrontEnd.PAGE:
        return
    screen.output.answers.offer(_Again(run.anew, choice, screen.place))


class _Again:
    """Begins the next run in the place of an output."""

    def __init__(self, anew: Anew[Run], choice: ViewChoice, place: Place) -> None:
        self._anew = anew
        self._choice = choice
        self._place = place
        # What the run shows and prints belongs to the cell.
        self._context = contextvars.copy_context()

    @property
    def held_bytes(self) -> int:
        return self._anew.held_bytes

    def __call__(self, output: LiveOutput) -> None:
        # In a thread of its own: a view of the user's may be slow to make, and the control channel
        # must be free for a cancel.
        begin = self._context.copy().run
        name = f"kkjupyter-{output.status.title}"[:40]
        threading.Thread(target=begin, args=(self._begin, output), name=name, daemon=True).start()

    def _begin(self, before: LiveOutput) -> None:
        from kkjupyter.notebook.output.live_output import LiveOutput  # not for terminals

        try:
            run = self._anew()
            view = made_view(self._choice)
            output = LiveOutput(view=view, run=run, earlier=before.answers.next_earlier())
            output.answers.offer(self)
            screen = CellScreen(output, view, self._place)
        except BaseException:
            before.answers.asked_in_vain()
            logger.exception("%s could not be asked for again", before.status.title)
            return
        try:
            before.replaced_by(output)
        finally:  # the new one is displayed: whatever the others are told, it must not stand still
            run.add_screen(screen)
            run.start()
