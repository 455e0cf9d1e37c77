"""Whether a page with our lab extension looks at this kernel.

Such a page draws views by itself, from messages to all pages. Where none has announced itself, a
view has a widget in addition, which any front end with widgets shows.
"""

from __future__ import annotations

from typing import Any, Final

from kkjupyter.notebook.output import page_messages

__all__ = ["HELLO", "pages"]

HELLO: Final = "kkjupyter_hello"
"""The message that asks pages with the extension to announce themselves."""


class Pages:
    """The pages that have announced themselves. Any thread."""

    def __init__(self) -> None:
        self.has_extension = False
        """Whether a page with the extension has announced itself to this process.

        It is not taken back: a page does not say that it is closed.
        """

    def announced(self) -> None:
        """A page with the extension is there."""
        self.has_extension = True

    def install(self, shell: Any) -> None:
        """Ask who is there. The answers come on the control channel, within milliseconds."""
        if page_messages.install(shell):
            page_messages.send(HELLO, {})

    def uninstall(self) -> None:
        """Ask nobody."""
        page_messages.uninstall()


pages = Pages()
