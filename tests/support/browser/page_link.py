"""The link between a page and its kernels, made slow or lossy.

    link = PageLink(lab)        # reloads the page, so that its connections go through this
    link.slow(delay_s=1.5)      # each message takes so long, in either direction
    link.lose()                 # what the kernel says does not arrive ...
    link.find()                 # ... until now; what was said meanwhile is gone

The delay is made in the page, where its WebSockets are: no proxy, so nothing else gets slower.
"""

from __future__ import annotations

from support.browser.lab import Lab

__all__ = ["PageLink"]

_SCRIPT = """(() => {
  const link = (window.kkLink = { delayMs: 0, isLosing: false, lost: 0 });
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    get kkIsKernel() { return this.url.includes("/channels"); }
    send(data) {
      if (this.kkIsKernel && link.delayMs) setTimeout(() => super.send(data), link.delayMs);
      else super.send(data);
    }
    get onmessage() { return super.onmessage; }
    set onmessage(heard) {
      super.onmessage = (event) => {
        if (!this.kkIsKernel) heard.call(this, event);
        else if (link.isLosing) link.lost += 1;
        else if (link.delayMs) setTimeout(() => heard.call(this, event), link.delayMs);
        else heard.call(this, event);
      };
    }
  };
})()"""


class PageLink:
    """The link of one page to its kernels. The page is reloaded."""

    def __init__(self, lab: Lab) -> None:
        self._page = lab.page
        lab.is_page_kept = False
        lab.page.add_init_script(_SCRIPT)
        lab.reload()

    def slow(self, delay_s: float) -> None:
        """Let each message take so long."""
        self._page.evaluate("(ms) => { window.kkLink.delayMs = ms; }", delay_s * 1000)

    def lose(self) -> None:
        """Lose all that kernels say from now on."""
        self._page.evaluate("() => { window.kkLink.isLosing = true; }")

    def find(self) -> int:
        """Lose no more; returns how many messages were lost."""
        lost = self._page.evaluate(
            "() => { window.kkLink.isLosing = false; return window.kkLink.lost; }"
        )
        return int(lost)
