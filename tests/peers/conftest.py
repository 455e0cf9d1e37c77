"""Says plainly when the peers that are not on npm were left out."""

from __future__ import annotations

from typing import Any

from support.peers.node import BUNDLE_VARIABLE, BUNDLED_VERSIONS, bundles_are_there

# Nothing here is skipped: without the bundles there are no such tests.
collect_ignore = [] if bundles_are_there() else ["bundled"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if collect_ignore:
        terminalreporter.write_line(
            f"kkrpc {' and '.join(BUNDLED_VERSIONS)} were not tried: {BUNDLE_VARIABLE} names no "
            "folder with bundles of them (see tests/peers/README.md)"
        )
