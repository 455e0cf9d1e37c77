"""JupyterLab or Notebook 7 in a real Chromium, driven as a user would drive it.

    lab = open_notebook(["%load_ext kkjupyter", "%rpc connect demo as api", "%rpc api.ticks()"])
    lab.run(0); lab.run(1)
    lab.start(2)                                        # does not wait for the cell's end
    clicked_s = lab.click(lab.button(2, "Cancel"))      # time.time() of the click in the page
    lab.wait(2)
    lab.save()
    assert "cancelled" in lab.saved().cells[2].outputs[0].data["text/plain"]

Cells are named by their place, from 0. ``lab.page`` is playwright's own Page, for all else.
Playwright's synchronous interface runs an event loop in this thread: no ``asyncio.run`` beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import nbformat
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    ViewportSize,
    WebSocket,
)
from playwright.sync_api import Error as PlaywrightError

from support.browser.jupyter_server import FrontEnd, JupyterServer
from support.browser.traffic import Traffic

__all__ = ["HOLD", "Lab", "Pages", "Stalls", "Theme", "launch_chromium"]

Theme = Literal["light", "dark"]

HOLD: Final = """
import os as _os, time as _time
def hold():
    while not _os.path.exists(_os.environ["JPY_SESSION_NAME"] + ".go"):
        _time.sleep(0.02)
"""
"""For a cell: ``hold()`` blocks until the test calls :meth:`Lab.let_go`.

So a stream lasts as long as the test looks at its live view, however slow the machine is.
"""

_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The notebook on screen with a kernel that answers, or with its cells and surely without a kernel:
# JupyterLab starts one only after the cells are there.
_IS_READY: Final = """([path, needsKernel]) => {
  const panel = window.jupyterapp?.shell.currentWidget;
  if (!panel?.context?.isReady || !panel.content?.widgets) return false;
  if (panel.context.path !== path) return false;
  const { isReady, session } = panel.context.sessionContext;
  if (!needsKernel) {
    if (session) throw new Error("the notebook was to be opened without a kernel and has one");
    return isReady;
  }
  const kernel = session?.kernel;
  return kernel?.connectionStatus === "connected" && ["idle", "busy"].includes(kernel.status);
}"""

_RUN: Final = """(index) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  const cell = notebook.widgets[index];
  window.kkRunning ??= new Map();
  const run = window.jupyterapp.commands.execute("notebook:run-cell");
  const id = cell.model.id;
  const settled = () => { if (window.kkRunning.get(id) === run) window.kkRunning.delete(id); };
  window.kkRunning.set(id, run);
  run.then(settled, settled);
}"""

_IS_DONE: Final = """(index) => {
  const id = window.jupyterapp.shell.currentWidget.content.widgets[index].model.id;
  return !(window.kkRunning?.has(id));
}"""

# What "Open With > Notebook (no kernel)" does, which JupyterLab 4.2 and 4.4 lack. ``kernel: null``
# would not keep Lab from starting the one that the file names.
_OPEN_WITHOUT_KERNEL: Final = """async (path) => {
  const { commands, docRegistry } = window.jupyterapp;
  docRegistry.getKernelPreference = () => ({ shouldStart: false, shouldReuse: false });
  await commands.execute("docmanager:open", { path });
  delete docRegistry.getKernelPreference; // the class's own is there again
}"""

# What Notebook 7.6 (the last: 7.2 and 7.4) throws by itself when it opens a notebook.
_NOTEBOOK_7_OWN: Final = (
    "(reading 'schema')",
    "'filebrowser:open-path' not registered",
    "(reading 'last_modified')",
)

# A frame that comes late and a task that takes long are both what a user feels as a stall.
_WATCH_STALLS: Final = """() => {
  window.kkStalls?.stop();
  const state = { longest_frame_gap_ms: 0, long_tasks_ms: [], frames: 0 };
  let last = performance.now();
  let running = true;
  const tick = () => {
    if (!running) return;
    const now = performance.now();
    state.longest_frame_gap_ms = Math.max(state.longest_frame_gap_ms, now - last);
    state.frames += 1;
    last = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  const take = (entries) => state.long_tasks_ms.push(...entries.map((e) => e.duration));
  const observer = new PerformanceObserver((list) => take(list.getEntries()));
  observer.observe({ entryTypes: ["longtask"] });
  const stop = () => { running = false; take(observer.takeRecords()); observer.disconnect(); };
  window.kkStalls = { state, stop };
}"""

_RECORD_CLICKS: Final = """() => {
  document.addEventListener("click", () => {
    window.kkClickedAt = performance.timeOrigin + performance.now();
  }, true);
}"""


# What the user of a page does who is through with a notebook; False if something is left on screen.
_CLEAR: Final = """() => {
  const { shell } = window.jupyterapp;
  window.kkStalls?.stop();
  for (const panel of [...shell.widgets("main")]) {
    if (panel.context) panel.context.model.dirty = false; // else Lab asks whether to save it
    panel.close();
  }
  shell.expandLeft();
  return document.querySelector(".jp-Dialog") === null;
}"""
_IS_CLEAR: Final = """() => {
  const [...panels] = window.jupyterapp.shell.widgets("main");
  return panels.every((panel) => !panel.context);
}"""
_SIZE: Final[ViewportSize] = {"width": 1300, "height": 1000}


@dataclass(frozen=True)
class Stalls:
    """How the page's main thread was held up while it was watched."""

    longest_frame_gap_ms: float
    long_tasks_ms: tuple[float, ...]
    frames: int

    @property
    def longest_ms(self) -> float:
        return max(self.longest_frame_gap_ms, *self.long_tasks_ms, 0.0)


def launch_chromium(playwright: Playwright) -> Browser:
    """Start Chromium or Chrome, headless: ``KK_CHROMIUM``, the system's, else Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("KK_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    return playwright.chromium.launch(executable_path=path, headless=True, args=list(_FLAGS))


class Pages:
    """The pages of one browser.

    JupyterLab takes seconds to load. So a page of it shows one notebook after the other, as a
    user's does, unless something was left in it. All pages of a server are tabs of one window: what
    one has loaded and compiled the next one need not.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._kept: dict[str, Page] = {}  # by the URL of the server
        self._windows: dict[str, BrowserContext] = {}

    def new(self, server: JupyterServer) -> Page:
        """A new tab of the server's window."""
        if server.url not in self._windows:
            self._windows[server.url] = self.new_window()
        return self._windows[server.url].new_page()

    def new_window(self) -> BrowserContext:
        """A window with storage and permissions of its own."""
        window = self._browser.new_context(viewport=_SIZE)
        window.grant_permissions(["clipboard-read", "clipboard-write"])
        window.add_init_script(f"({_RECORD_CLICKS})()")
        return window

    def take(self, server: JupyterServer) -> Page | None:
        """A page that shows JupyterLab of this server, and no notebook; None if there is none."""
        page = self._kept.pop(server.url, None)
        if page is not None:
            page.bring_to_front()
        return page

    def keep(self, server: JupyterServer, page: Page) -> None:
        """Have this page of JupyterLab used again, if its notebook can be put away."""
        try:
            is_clear = page.evaluate(_CLEAR) and server.url not in self._kept
            page.wait_for_function(_IS_CLEAR, timeout=5_000)
        except PlaywrightError:  # it shows something else by now
            is_clear = False
        if not is_clear:
            page.close()
            return
        page.set_viewport_size(_SIZE)
        page.mouse.move(0, 0)
        self._kept[server.url] = page


class Lab:
    """One notebook, open in one page. Make it with the fixture ``open_notebook``.

    Attributes:
        is_page_kept: whether the page may show another notebook after this one.
    """

    def __init__(self, server: JupyterServer, pages: Pages, name: str, front_end: FrontEnd) -> None:
        self.server = server
        self.name = name
        self.front_end = front_end
        #: What the kernel sent to this page.
        self.traffic = Traffic()
        #: (type, text) of every console message; uncaught exceptions as ("pageerror", text).
        self.console: list[tuple[str, str]] = []
        self.is_page_kept = front_end == "lab"
        self._pages = pages
        kept = pages.take(server) if front_end == "lab" else None
        self._shows_lab = kept is not None
        self.page: Page = kept or pages.new(server)
        self._listen(self.page)

    # ---- the page --------------------------------------------------------------------------------

    def open(self, *, with_kernel: bool = True) -> None:
        """Show the notebook and wait until it can be used (60 s at most)."""
        if not with_kernel:
            self._open_without_kernel()
        elif self._shows_lab:
            self.command("docmanager:open", path=self._path)
        else:
            self.page.goto(self.server.link(self.name, self.front_end))
        self._wait_ready(with_kernel)

    def reload(self) -> None:
        """Reload the page; the kernel goes on. Traffic and console go on being recorded."""
        self.page.goto(self.server.link(self.name, self.front_end))
        self._wait_ready(needs_kernel=True)

    def reopen(self, *, with_kernel: bool = True) -> None:
        """Close the page and open the saved file in a new one, as on the next day.

        The old kernel is shut down; without ``with_kernel`` no new one is started (Lab only).
        """
        self.page.close()
        self.server.shut_down_kernel_of(self.name)
        self.page = self._pages.new(self.server)
        self._listen(self.page)
        self._shows_lab = False
        self.open(with_kernel=with_kernel)

    def joined(self) -> Lab:
        """The same notebook for a second person, who has yet to open it."""
        return Lab(self.server, self._pages, self.name, self.front_end)

    def close(self) -> None:
        """Close the notebook; its kernel ends while the next one is opened."""
        if self.is_page_kept:
            for event, heard in self._heard.items():
                self.page.remove_listener(event, heard)
            self._pages.keep(self.server, self.page)
        else:
            self.page.close()
        self.server.shut_down_kernel_soon(self.name)

    def set_theme(self, theme: Theme) -> None:
        name = "JupyterLab Dark" if theme == "dark" else "JupyterLab Light"
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            name,
        )
        self.page.wait_for_function(
            "(name) => document.body.dataset.jpThemeName === name", arg=name
        )

    def set_width(self, width_px: int, height_px: int = 1000) -> None:
        """Make the window this wide; Lab's side panels are folded away."""
        self.page.evaluate(
            "() => { const s = window.jupyterapp.shell; s.collapseLeft?.(); s.collapseRight?.(); }"
        )
        self.page.set_viewport_size({"width": width_px, "height": height_px})

    def screenshot(self, path: Path, index: int | None = None) -> None:
        """A PNG of the page, or of one cell."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if index is None:
            self.page.screenshot(path=path)
        else:
            self.cell(index).screenshot(path=path)

    @property
    def page_errors(self) -> list[str]:
        """Uncaught exceptions in the page, without those that a bare Notebook 7 throws, too."""
        errors = [text for kind, text in self.console if kind == "pageerror"]
        own = _NOTEBOOK_7_OWN if self.front_end == "notebook" else ()
        return [text for text in errors if not any(known in text for known in own)]

    @property
    def console_errors(self) -> list[str]:
        return [text for kind, text in self.console if kind == "error"]

    # ---- cells -----------------------------------------------------------------------------------

    def start(self, index: int) -> None:
        """Run a cell, as Ctrl-Enter does, and do not wait."""
        self.page.evaluate(_RUN, index)

    def wait(self, index: int, timeout_s: float = 60) -> None:
        """Wait until a cell that was started has ended, well or not; raises TimeoutError."""
        self.page.wait_for_function(_IS_DONE, arg=index, timeout=timeout_s * 1000)

    def run(self, index: int, timeout_s: float = 60) -> None:
        """Run a cell and wait for its end."""
        self.start(index)
        self.wait(index, timeout_s)

    def is_running(self, index: int) -> bool:
        return not self.page.evaluate(_IS_DONE, index)

    def run_all(self, timeout_s: float = 120) -> None:
        """Run > Run All Cells; waits for the end. A cell that fails ends the run."""
        self.page.set_default_timeout(timeout_s * 1000)
        try:
            self.command("notebook:run-all-cells")
        finally:
            self.page.set_default_timeout(60_000)

    def cell(self, index: int) -> Locator:
        return self.page.locator(f'.jp-Notebook [data-windowed-list-index="{index}"]')

    def output(self, index: int) -> Locator:
        """The output area of a cell."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def button(self, index: int, name: str) -> Locator:
        """A button in a cell's output, by (part of) its accessible name."""
        return self.output(index).get_by_role("button", name=name)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """A cell's outputs as they stand in the page's notebook model."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "(i) => window.jupyterapp.shell.currentWidget.content.widgets[i]"
            ".model.outputs.toJSON()",
            index,
        )
        return found

    def set_source(self, index: int, source: str) -> None:
        """Replace a cell's source."""
        self.page.evaluate(
            "([i, source]) => window.jupyterapp.shell.currentWidget.content.widgets[i]"
            ".model.sharedModel.setSource(source)",
            [index, source],
        )

    def number_of_cells(self) -> int:
        script = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
        return int(self.page.evaluate(script))

    def click(self, target: Locator) -> float:
        """Click, and return when the page got the click, on time.time()'s clock."""
        target.click()
        return float(self.page.evaluate("() => window.kkClickedAt")) / 1000

    # ---- file and kernel -------------------------------------------------------------------------

    def let_go(self) -> None:
        """End every ``hold()`` of this notebook's cells."""
        (self.server.root / f"{self.name}.ipynb.go").touch()

    def save(self) -> None:
        """Save the notebook and wait until it is written."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def saved(self) -> nbformat.NotebookNode:
        """The notebook as it stands in the file."""
        return self.server.read(self.name)

    def saved_text(self) -> str:
        """The file itself, to look for what must or must not be in it."""
        return (self.server.root / f"{self.name}.ipynb").read_text(encoding="utf-8")

    def interrupt_kernel(self) -> None:
        self._session("kernel.interrupt()")

    def restart_kernel(self) -> None:
        """Restart the kernel and wait until it is idle again."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()"
        )
        self._wait_ready(needs_kernel=True)

    def command(self, name: str, **args: Any) -> Any:
        """Execute one of Lab's commands and wait for it."""
        return self.page.evaluate(
            "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args); }",
            [name, args],
        )

    def inject(self, code: str) -> None:
        """Run code in the notebook's kernel that no cell shows (once the kernel is idle)."""
        self.page.evaluate(
            "(code) => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
            ".requestExecute({ code, silent: true, store_history: false }).done.then(() => null)",
            code,
        )

    # ---- measuring -------------------------------------------------------------------------------

    @contextmanager
    def watch_stalls(self) -> Iterator[list[Stalls]]:
        """Measure while the block runs; the list then holds one Stalls."""
        result: list[Stalls] = []
        self.page.evaluate(_WATCH_STALLS)
        yield result
        state = self.page.evaluate(
            "() => { window.kkStalls.stop(); return window.kkStalls.state; }"
        )
        result.append(
            Stalls(state["longest_frame_gap_ms"], tuple(state["long_tasks_ms"]), state["frames"])
        )

    def wait_until(self, script: str, arg: object = None, timeout_s: float = 20) -> None:
        """Wait until a JavaScript function of ``arg`` returns something true in the page."""
        self.page.wait_for_function(script, arg=arg, timeout=timeout_s * 1000)

    def wait_for_words(self, words: str, timeout_s: float = 20) -> None:
        """Wait until the first state line begins so: no work for a page with a large text."""
        begins = "(words) => document.querySelector('.kkj-words')?.textContent.startsWith(words)"
        self.wait_until(begins, words, timeout_s)

    def pause(self, seconds: float) -> None:
        """Let the page go on for a moment; events keep being recorded, unlike in time.sleep()."""
        self.page.wait_for_timeout(seconds * 1000)

    # ---- inside ----------------------------------------------------------------------------------

    def _session(self, call: str) -> None:
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session." + call
        )

    def _listen(self, page: Page) -> None:
        page.set_default_timeout(60_000)
        self._heard: dict[Any, Any] = {
            "console": self._on_console,
            "pageerror": self._on_page_error,
            "websocket": self._on_websocket,
        }
        for event, heard in self._heard.items():
            page.on(event, heard)

    @property
    def _path(self) -> str:
        return f"{self.name}.ipynb"

    def _wait_ready(self, needs_kernel: bool) -> None:
        self.page.wait_for_function(_IS_READY, arg=[self._path, needs_kernel])

    def _open_without_kernel(self) -> None:
        if self.front_end != "lab":
            raise ValueError("only JupyterLab opens a notebook without starting a kernel")
        self.page.goto(f"{self.server.url}/lab?reset&token={self.server.token}")
        self.page.wait_for_function(
            "() => window.jupyterapp?.commands.hasCommand('docmanager:open')"
        )
        self.page.evaluate("() => window.jupyterapp.restored.then(() => null)")
        self.page.evaluate(_OPEN_WITHOUT_KERNEL, self._path)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append((message.type, message.text))

    def _on_page_error(self, error: PlaywrightError) -> None:
        self.console.append(("pageerror", f"{error.name}: {error.message}\n{error.stack}"))

    def _on_websocket(self, socket: WebSocket) -> None:
        if "/api/kernels/" in socket.url:
            socket.on("framereceived", self.traffic.add)
