"""Says plainly when the peers that are not on npm were left out."""

from __future__ import annotations

from typing import Any

from support.peers.node import (
    BUNDLE_VARIABLE,
    BUNDLED_VERSIONS,
    NATS_BUNDLE,
    bundles_are_there,
    nats_bundle_is_there,
)

# Nothing here is skipped: without the bundles there are no such tests.
collect_ignore = [] if bundles_are_there() else ["bundled"]
if not collect_ignore and not nats_bundle_is_there():
    collect_ignore = ["bundled/test_nats.py"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if collect_ignore == ["bundled/test_nats.py"]:
        terminalreporter.write_line(
            f"kkrpc over NATS was not tried: {BUNDLE_VARIABLE} has no {NATS_BUNDLE} "
            "(see tests/peers/README.md)"
        )
    elif collect_ignore:
        terminalreporter.write_line(
            f"kkrpc {' and '.join(BUNDLED_VERSIONS)} were not tried: {BUNDLE_VARIABLE} names no "
            "folder with bundles of them (see tests/peers/README.md)"
        )
