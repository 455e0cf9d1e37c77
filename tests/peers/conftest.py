"""Says plainly when the peers that are not on npm were left out."""

from __future__ import annotations

from typing import Any

from support.peers.node import (
    BUNDLE_VARIABLE,
    BUNDLED_VERSIONS,
    BUS_BUNDLES,
    bundles_are_there,
    bus_bundles,
)

# Nothing here is skipped: without the bundles there are no such tests.
collect_ignore = [] if bundles_are_there() else ["bundled"]
if not collect_ignore and not bus_bundles():
    collect_ignore = ["bundled/test_buses.py"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if "bundled" not in collect_ignore:
        for bus in BUS_BUNDLES.keys() - bus_bundles():
            terminalreporter.write_line(
                f"kkrpc over {bus} was not tried: {BUNDLE_VARIABLE} has no {BUS_BUNDLES[bus]} "
                "(see tests/peers/README.md)"
            )
    else:
        terminalreporter.write_line(
            f"kkrpc {' and '.join(BUNDLED_VERSIONS)} were not tried: {BUNDLE_VARIABLE} names no "
            "folder with bundles of them (see tests/peers/README.md)"
        )
