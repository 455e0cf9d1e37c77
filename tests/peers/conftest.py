"""Says plainly when the peer that is not on npm was left out."""

from __future__ import annotations

from typing import Any

from support.peers import BUNDLE_VARIABLE, real_bundle

# Nothing here is skipped: without a bundle there are no such tests.
collect_ignore = [] if real_bundle() else ["test_real_peers.py"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if collect_ignore:
        terminalreporter.write_line(
            f"kkrpc 0.7.0 was not tried: {BUNDLE_VARIABLE} names no folder with a bundle of it "
            "(see tests/peers/README.md)"
        )
