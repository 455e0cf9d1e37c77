"""What of a server's log is printed in a cell."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from kkjupyter.connection.failure_log import log_failure, log_late_failure
from kkjupyter.notebook.shell import server_log


@pytest.fixture
def installed() -> Iterator[None]:
    server_log.install()
    server_log.install()
    yield
    server_log.uninstall()


@pytest.mark.usefixtures("installed")
def test_what_no_client_shows_is_printed_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest has set up logging
    log_failure("f", ValueError("\x1b[2Jof the server"))
    log_late_failure("f", ValueError("after a cancel"))
    log_failure("f", ValueError("in a cell already"), told=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("ValueError: of the server") == 1
    assert err.count("ValueError: after a cancel") == 1
    assert "in a cell already" not in err
    assert "\x1b" not in err


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["", "kkjupyter", "kkjupyter.server"])
def test_who_sets_up_logging_gets_all_and_nothing_twice(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger(name).addHandler(handler)
    try:
        log_failure("f", ValueError("of the server"))
        log_failure("f", ValueError("in a cell already"), told=True)
    finally:
        logging.getLogger(name).removeHandler(handler)
    err = capsys.readouterr().err
    assert err.count("ValueError: of the server") == 1
    assert err.count("ValueError: in a cell already") == 1
