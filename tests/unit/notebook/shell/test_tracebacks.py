"""What a cell shows of our errors: the user's lines, none of ours, none of what lies below."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

import kkjupyter as kk
from kkjupyter.notebook import load, unload
from kkjupyter.notebook.shell.tracebacks import render


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    load(shell)
    shell.user_ns["kk"] = kk
    yield shell
    unload(shell)
    shell.reset()
    InteractiveShell.clear_instance()


def shown(shell: InteractiveShell, code: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the terminal shows of a cell that fails."""
    capsys.readouterr()
    assert not shell.run_cell(code).success
    return re.sub(r"\x1b\[[0-9;]*m", "", "".join(capsys.readouterr()))


def test_what_a_library_below_said_is_not_shown_but_kept(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(shell, "kk.connect('ws://127.0.0.1:1')", capsys)
    assert "----> 1 kk.connect" in text
    assert text.count("connection refused") == 1
    assert "direct cause" not in text
    assert "websocket" not in text
    shell.run_cell("try: kk.connect('ws://127.0.0.1:1')\nexcept Exception as error: kept = error")
    assert isinstance(shell.user_ns["kept"].__cause__, OSError)


def test_the_users_own_causes_and_contexts_are_shown(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(shell, "try:\n    1 / 0\nexcept Exception:\n    kk.close(5)", capsys)
    assert "ZeroDivisionError" in text
    assert "During handling" in text
    code = "try:\n    1 / 0\nexcept Exception as e:\n    raise kk.UsageError('mine') from e"
    text = shown(shell, code, capsys)
    assert "ZeroDivisionError" in text
    assert "direct cause" in text


def test_an_error_of_a_magic_shows_no_frames(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(shell, "%rpc connect ws://127.0.0.1:1", capsys)
    assert text.startswith("ConnectError: cannot connect")
    assert "Traceback" not in text


def test_an_error_of_the_users_generator_shows_the_users_frames_only(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("def numbers():\n    yield 1\n    raise LookupError('mine')")
    for code in ("kk.show(numbers()).wait()", "for n in kk.show(numbers()): pass"):
        text = shown(shell, code, capsys)
        assert "raise LookupError('mine')" in text
        assert code in text
        assert "kkjupyter" not in text.replace("kkjupyter-", "")
    text = shown(shell, "%rpc numbers()", capsys)
    assert "raise LookupError('mine')" in text
    assert "run_line_magic" not in text


def test_an_error_in_the_line_of_a_magic_shows_the_users_frames_only(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("def numbers():\n    raise LookupError('mine')")
    text = shown(shell, "%rpc numbers()", capsys)
    assert "raise LookupError('mine')" in text
    assert "kkjupyter" not in text
    assert "<%rpc>" not in text
    assert shown(shell, "%rpc [1, 2][5]", capsys) == "IndexError: list index out of range\n"


@pytest.mark.slow
def test_an_interrupt_of_a_wait_shows_the_users_frames_only(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(
        "import signal, threading, time\n"
        "up = threading.Event()\n"
        "def endless():\n    while True:\n        yield 1\n"
        "        time.sleep(0.1)\n        up.set()\n"
        "def later():\n    up.wait()\n"
        "    time.sleep(0.5)  # now the cell waits for the stream, and makes no view any more\n"
        "    signal.raise_signal(signal.SIGINT)\n"
    )
    for line in ("%rpc endless()", "kk.show(endless()).wait()"):
        text = shown(shell, f"up.clear(); threading.Thread(target=later).start()\n{line}", capsys)
        assert "KeyboardInterrupt" in text
        assert "kkjupyter" not in text
        # Whoever typed a magic would not know the call that IPython makes of its line.
        assert "run_line_magic" not in text


def test_of_what_was_being_handled_only_the_users_frames_are_shown(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(
        "def numbers():\n    yield 1\n    raise LookupError('mine')\n"
        "def interrupted():\n    try:\n        yield from kk.show(numbers())\n"
        "    except LookupError:\n        raise KeyboardInterrupt"
    )
    handled = "try:\n    kk.show(numbers()).wait()\nexcept LookupError:\n    kk.close(5)"
    for code in (handled, "kk.show(interrupted()).wait()"):
        text = shown(shell, code, capsys)
        assert "LookupError" in text
        assert "raise LookupError('mine')" in text
        assert "kkjupyter/" not in text
    shell.run_cell("try:\n    kk.show(numbers()).wait()\nexcept LookupError as e: kept = e")
    assert shell.user_ns["kept"].__traceback__.tb_next is not None  # it is left as it was


def test_an_error_cannot_command_the_terminal(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\\x1b]0;title\\x07\\x1b[2J"
    code = f"raise kk.RemoteError('no{evil}', name='E{evil}', stack='at {evil}x')"
    capsys.readouterr()
    assert not shell.run_cell(code).success
    out = "".join(capsys.readouterr())
    assert "\x1b]0" not in out
    assert "\x1b[2J" not in out
    assert "E: no" in re.sub(r"\x1b\[[0-9;]*m", "", out)


def test_a_misspelt_remote_name_is_answered_with_a_question(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    with kk.demo() as server:
        shell.user_ns["api"] = server.connect()
        assert "did you mean 'countdown'?" in shown(shell, "%rpc api.contdown(3)", capsys)
        assert "did you mean 'countdown'?" in shown(shell, "await api.contdown(3)", capsys)
        assert "did you mean" not in shown(shell, "%rpc api.failingStream()", capsys)
        assert "did you mean" not in shown(shell, "%rpc api.zebra()", capsys)


def test_what_is_shown_can_be_encoded() -> None:
    error = kk.RemoteError("half \ud83d", name="Oops", stack="Oops: half \ud83d\n  at \ude00")
    "\n".join(render(error)).encode()
