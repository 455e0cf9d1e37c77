"""A call where IPython's own magics and ``display`` come between it and the end of the cell."""

from __future__ import annotations

import re

import pytest
from support.kernels.kernel import Kernel

from .endpoint import outputs_text, prepare, value_of

PREPARE = """
from IPython.display import display
ran = []
def words():
    for word in ("one ", "two ", "three"):
        ran.append(word)
        yield word
def slowly():
    for n in range(3):
        time.sleep(0.1)
        yield n
"""


@pytest.fixture
def kernel_with_words(kernel: Kernel) -> Kernel:
    prepare(kernel)
    kernel.run(PREPARE).check()
    return kernel


def test_capture_runs_and_captures(kernel_with_words: Kernel) -> None:
    kernel = kernel_with_words
    for code, expected in [
        ("kk.show(words())", "one two three"),
        ("api.words(2)", "word-0 word-1 "),
        ("api.add(1, 2)", "3"),
        ("%rpc api.add(1, 2)", "3"),
        ("%rpc api.words(1)", "word-0 "),
        ("display(api.add(1, 2))", "3"),
        ("[1, 2]", "[1, 2]"),
    ]:
        run = kernel.run(f"%%capture out\n{code}").check()
        assert run.outputs == [], code
        shown = kernel.run("out.show()").check()
        assert expected.strip() in outputs_text(shown), code
    assert value_of(kernel, "''.join(ran)") == "one two three"
    # The magic itself is content then; the error is shown, as of any code in it.
    assert "something went wrong" in outputs_text(kernel.run("%%capture out\napi.failing()"))
    # What is captured inside a cell is, too, and the cell's own last line is as ever.
    code = "from IPython.utils.capture import capture_output\nwith capture_output() as out:\n"
    run = kernel.run(f"{code}    display(api.words(1))\napi.add(1, 2)").check()
    assert run.result == "3"
    assert "word-0" in outputs_text(kernel.run("out.show()").check())


def wall_s(text: str) -> float:
    found = re.search(r"Wall time: ([\d.]+) (\S+)", text)
    assert found is not None, text
    units = {"ns": 1e-9, "us": 1e-6, "μs": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
    return float(found[1]) * units[found[2]]


def test_time_measures_to_the_end(kernel_with_words: Kernel) -> None:
    kernel = kernel_with_words
    for code, result in [
        ("%%time\nkk.show(slowly())", ""),
        ("%time kk.show(slowly())", ""),
        ("%%time\nx = 1\napi.slow(0.3)", "'slow'"),
        ("%time api.slow(0.3)", "'slow'"),
        ("%%time\ncall = api.slow(0.3)\ncall", "'slow'"),
    ]:
        run = kernel.run(code).check()
        assert wall_s(run.stdout) >= 0.29, code
        assert run.result == result, code
    assert kernel.run("%%time\n6 * 7").check().result == "42"
    assert kernel.run("%time api.slow(0.1);").check().result == ""
    failed = kernel.run("%%time\napi.failing()")
    assert (failed.status, failed.ename) == ("error", "RemoteError")


def test_timeit_measures_calls_and_shows_none(kernel_with_words: Kernel) -> None:
    kernel = kernel_with_words
    run = kernel.run("%timeit -n 2 -r 1 api.slow(0.1)").check()
    assert re.match(r"1\d\d ms", run.stdout), run.stdout
    assert [output["output_type"] for output in run.outputs] == ["stream"]
    run = kernel.run("%%timeit -n 2 -r 1\napi.countdown(3)").check()
    assert "dropped unread" not in outputs_text(run)
    refused = kernel.run("%timeit -n 1 -r 1 kk.show(words())")
    assert (refused.status, refused.ename) == ("error", "UsageError")
    assert "time the call itself" in refused.evalue
    assert "ns" in kernel.run("%timeit -n 1000 -r 1 1 + 1").check().stdout


def test_display_shows_and_waits(kernel_with_words: Kernel) -> None:
    kernel = kernel_with_words
    run = kernel.run("display(api.words(2))\nprint('after')").check()
    assert outputs_text(run).index("word-1") < outputs_text(run).index("after")
    run = kernel.run("display(kk.show(words()), api.add(1, 2))\nprint('after')").check()
    text = outputs_text(run)
    assert text.index("one two three") < text.index("3") < text.index("after")
    run = kernel.run("display(api.failing())\nprint('after')")
    assert "something went wrong" in outputs_text(run)
    assert "after" in outputs_text(run)
    assert "<Call" not in outputs_text(run)


def test_a_semicolon_silences_the_value_not_the_view(kernel_with_words: Kernel) -> None:
    kernel = kernel_with_words
    for code in ("api.add(1, 2);", "%rpc api.add(1, 2);", "api.add(1, 2);  # no value"):
        assert kernel.run(code).check().outputs == [], code
    lists = ("kk.show([1, 2]);", "shown = kk.show(words())\nshown;")
    for code in (
        *lists,
        "kk.show(words());",
        "%rpc words();",
        "api.words(1);",
        "%rpc api.words(1);",
    ):
        run = kernel.run(code).check()
        assert [output["output_type"] for output in run.outputs] == ["display_data"], code
    failed = kernel.run("api.boom();")
    assert (failed.status, failed.ename) == ("error", "RemoteError")


def test_a_call_among_other_things(kernel_with_words: Kernel) -> None:
    kernel = kernel_with_words
    assert kernel.run("(n := api.add(1, 2))").check().result == "3"
    assert kernel.run("_").check().result == "3"
    assert kernel.run("call = api.add(1, 2)").check().outputs == []
    assert "<Call" in kernel.run("print(call)").check().stdout
    assert "<Call" in kernel.run("[call]").check().result
    assert kernel.run("list(kk.show(words()))").check().result == "['one ', 'two ', 'three']"
    pairs = kernel.run("list(zip(kk.show(words()), api.countdown(2)))").check().result
    assert pairs == "[('one ', 2), ('two ', 1), ('three', 0)]"
    assert kernel.run("list(enumerate(api.words(1)))").check().result == "[(0, 'word-0 ')]"
    kernel.run("%unload_ext kkjupyter").check()
    assert kernel.run("%time 6 * 7").check().result == "42"
    assert kernel.run("%%capture out\n6 * 7").check().outputs == []
