"""The client that fuzz.py holds to its promise: it calls all servers and tells its longest wait."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import kkjupyter as kk

PAUSE_S = 0.02
PATIENCE_S = 10.0
TOLD_EVERY_S = 0.5


def calls(ports: dict[str, int]) -> dict[str, Callable[[], object]]:
    """What it calls, by name; each is one wait."""
    compact: Any = kk.connect(f"ws://127.0.0.1:{ports['websocket']}", protocol="compact")
    classic: Any = kk.connect(f"ws://127.0.0.1:{ports['websocket']}", protocol="classic")
    http: Any = kk.connect(f"http://127.0.0.1:{ports['http']}", protocol="classic")
    new: Any = kk.connect(f"http://127.0.0.1:{ports['vovk']}/api", protocol="vovk")
    return {
        "compact": lambda: compact.echo({"a": [1, 2]}).result(PATIENCE_S),
        "compact stream": lambda: compact.countdown(3).result(PATIENCE_S),
        "classic": lambda: classic.math.add(1, 2).result(PATIENCE_S),
        "classic stream": lambda: classic.plain(3).result(PATIENCE_S),
        "http": lambda: http.add(1, 2).result(PATIENCE_S),
        "vovk": lambda: new.HelloController.burst(query={"n": "3"}).result(PATIENCE_S),
    }


def end_with_stdin(ending: threading.Event) -> None:
    """Whoever started this has closed it, or is gone."""
    sys.stdin.read()
    ending.set()


def main() -> None:
    """Call until stdin ends."""
    ending = threading.Event()
    threading.Thread(target=end_with_stdin, args=(ending,), daemon=True).start()
    what = calls(json.loads(sys.argv[1]))
    for call in what.values():  # what is imported, connected and asked for once is no wait
        call()
    count, worst_s, where, told_s = 0, 0.0, "", 0.0
    while not ending.is_set():
        for name, call in what.items():
            begun_s = time.monotonic()
            try:
                call()
            except kk.KKError as exc:
                print(json.dumps({"failure": f"{name}: {type(exc).__name__}: {exc}"}), flush=True)
                return
            took_s = time.monotonic() - begun_s
            count += 1
            if took_s > worst_s:
                worst_s, where = took_s, name
            if time.monotonic() - told_s > TOLD_EVERY_S:
                told_s = time.monotonic()
                told = {"calls": count, "worst_s": round(worst_s, 3), "where": where}
                print(json.dumps(told), flush=True)
        ending.wait(PAUSE_S)


if __name__ == "__main__":
    main()
