"""Mixed use for minutes: nothing fails, and neither client nor server grows.

python tools/soak.py --seconds 600 [--seed N] [--slope 0.5]

Client and server are processes of their own. The client makes calls and streams over everything
there is (both protocols over WebSocket, HTTP, stdio; Vovk), cancels some, passes
functions and streams, lets connections go and makes new ones. Every few seconds both tell how much
memory they hold, after a full collection, and how many blocks of it are live; the slope is that of
a line through the second half. It fails when an action fails, when connections are left over, or
when a slope is beyond the bound.

Memory that grows while the live blocks do not is what malloc keeps for itself: each thread has
arenas, whose free pieces are not given back. MALLOC_ARENA_MAX=1 in the environment shows it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from fuzz import Failure, Process, command_line, ran_well

_MB = 1e6


class Curve:
    """A figure of a process, over time."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def add(self, at_s: float, figure: float) -> None:
        """One look."""
        self.points.append((at_s, figure))

    @property
    def slope_a_minute(self) -> float:
        """Of the second half: at the beginning caches fill, and modules are imported."""
        points = self.points[len(self.points) // 2 :]
        if len(points) < 3:
            return 0.0
        return 60 * statistics.linear_regression(*zip(*points, strict=True)).slope

    def __str__(self) -> str:
        step = max(1, len(self.points) // 20)
        return " ".join(f"{at:.0f}s:{figure:.1f}" for at, figure in self.points[::step])


def soak(seed: int, seconds_s: float, slope_limit: float) -> dict[str, Any]:
    """Run it; the figures.

    Raises:
        Failure: the text says what is wrong.
    """
    begun_s = time.monotonic()
    names = ("client", "server")
    curves = {name: Curve() for name in names}
    live = {name: Curve() for name in names}
    server = Process("soak-server", "fuzz_server.py", "--memory")
    client: Process | None = None
    figures: dict[str, Any] = {"seed": seed}
    try:
        ports = server.first()
        client = Process(
            "soak-client", "soak_client.py", json.dumps(ports), str(seed), str(seconds_s)
        )
        while client.is_running:
            time.sleep(0.2)
            _look((client, server), curves, live, time.monotonic() - begun_s)
            if not server.is_running:
                raise Failure(f"the server has ended; see {server.log}")
        _look((client, server), curves, live, time.monotonic() - begun_s)
        if not client.last.get("done"):
            raise Failure(f"the client has ended; see {client.log}")
    finally:
        for child in (client, server):
            if child is not None:
                child.close()
        figures["actions"] = client.last.get("actions") if client is not None else None
        for name, curve in curves.items():
            print(f"{name}, MB after so many seconds: {curve}")
            figures[f"{name}, MB a minute"] = round(curve.slope_a_minute, 3)
            figures[f"{name}, live blocks a minute"] = round(live[name].slope_a_minute)
        print(json.dumps(figures, indent=2))
    for name, curve in curves.items():
        if curve.slope_a_minute > slope_limit:
            raise Failure(f"the {name} grows by {curve.slope_a_minute:.2f} MB a minute")
    return figures


def _look(
    processes: tuple[Process, Process],
    curves: dict[str, Curve],
    live: dict[str, Curve],
    at_s: float,
) -> None:
    for name, process in zip(curves, processes, strict=True):
        for told in process.news():
            if told.get("failure"):
                raise Failure(f"an action failed: {told['failure']}")
            curves[name].add(at_s, told["held_bytes"] / _MB)
            live[name].add(at_s, told["live_blocks"])


def main() -> int:
    """The command line."""
    parser = command_line(__doc__)
    parser.add_argument(
        "--slope", type=float, default=0.5, help="how much it may grow, in MB a minute"
    )
    options = parser.parse_args()
    if not ran_well(options.seed, lambda: soak(options.seed, options.seconds, options.slope)):
        return 1
    print("nothing fell, nothing grew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
