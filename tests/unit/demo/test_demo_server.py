"""``kk.demo()``: the demo endpoint behind a real socket."""

import importlib

import kkjupyter as kk


def test_the_demo_endpoint_answers() -> None:
    with kk.demo() as server:
        api = server.connect()
        assert api.math.add(1, 2).result() == 3
        assert list(api.countdown(5, pause_s=0)) == [5, 4, 3, 2, 1, 0]
        assert kk.new(api.Counter, 10).result() == {"count": 10, "step": 1}
        api.settings.theme = "dark"
        assert kk.get(api.settings.theme) == "dark"
        calls: list[tuple[int, int]] = []
        progress = api.onProgress(3, lambda step, count: calls.append((step, count)), pause_s=0)
        assert progress.result() == "done"
        assert calls == [(1, 3), (2, 3), (3, 3)]
        kk.close(api)


def test_the_function_still_works_after_the_package_of_its_name_was_imported() -> None:
    importlib.import_module("kkjupyter.demo")
    with kk.demo() as first, kk.demo() as second:
        assert first.port != second.port
