"""The pure parts of the shell command: what is parsed, what is written, which exit code."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from kkjupyter import __version__, errors
from kkjupyter.cli import build_parser, main
from kkjupyter.cli.call import Expression, parse_expression, parse_headers
from kkjupyter.cli.demo import copy_notebooks, notebooks
from kkjupyter.cli.exit_codes import ExitCode, exit_code_for
from kkjupyter.cli.notebook_outputs import Outputs, Screen
from kkjupyter.cli.serve import load_object
from kkjupyter.cli.value_lines import Writer, as_json
from kkjupyter.errors import UsageError
from kkjupyter.plaintext import without_controls
from kkjupyter.wire.values.javascript import undefined


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self) -> bool:
        return True


# -- expressions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("countdown(5)", Expression(("countdown",), True, (5,))),
        (" data.stream(3) ", Expression(("data", "stream"), True, (3,))),
        ("openWatchers()", Expression(("openWatchers",), True)),
        ("settings.theme", Expression(("settings", "theme"))),
        (
            "a.b.c('x', [1, -2.5, None], {'k': (True, b'y')}, pause_s=0.5)",
            Expression(
                ("a", "b", "c"),
                True,
                ("x", [1, -2.5, None], {"k": (True, b"y")}),
                {"pause_s": 0.5},
            ),
        ),
    ],
)
def test_an_expression_is_a_path_and_literals(text: str, expression: Expression) -> None:
    assert parse_expression(text) == expression


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("countdown(", "is not an expression"),
        ("", "is not an expression"),
        ("a = 1", "is not an expression"),
        ("a\0", "is not an expression"),
        ("-" * 5_000 + "1", "nested too deeply"),
        ("-" * 20_000 + "1", "nested too deeply"),
        ("5", "'5' is not a dotted name"),
        ("countdown(5)(6)", "'countdown(5)' is not a dotted name"),
        ("__import__('os').system('x')", "is not a dotted name"),
        ("countdown(n)", "the argument 'n' is not a literal: only literals"),
        ("countdown(open('x'))", "is not a literal"),
        ("echo(true)", "the argument 'true' is not a literal: write True"),
        ("echo([null])", "is not a literal"),
        ("echo(*[1])", "is not a literal"),
        ("echo(**{'a': 1})", "cannot be used here"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_expression(text)
    assert complaint in str(caught.value)


def test_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KK_TEST_KEY", "s3cret")
    lines = ["Accept-Language: en", "X-Key: env:KK_TEST_KEY", "X-When: 10:30"]
    lines += ["Authorization: Bearer env:KK_TEST_KEY"]
    assert parse_headers(lines) == {
        "Accept-Language": "en",
        "X-Key": "s3cret",
        "X-When": "10:30",
        "Authorization": "Bearer s3cret",
    }
    with pytest.raises(UsageError, match="--header needs 'Name: value', not 'X-Key'"):
        parse_headers(["X-Key"])
    with pytest.raises(UsageError, match="not set: KK_TEST_MISSING"):
        parse_headers(["X-Key: env:KK_TEST_MISSING"])


# -- values on stdout -----------------------------------------------------------------------------


def written(*values: Any, style: str, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    writer = Writer(out, style)
    for value in values:
        writer.write(value)
    writer.finish()
    writer.finish()
    return out.getvalue()


def test_plain_style_gives_every_value_a_line() -> None:
    assert written("item-0", 1, {"a": "b"}, style="plain") == "item-0\n1\n{'a': 'b'}\n"


def test_text_style_joins_tokens_and_ends_the_line_once() -> None:
    assert written("Once", " upon", " a", style="text") == "Once upon a\n"
    assert written("Once\n", "", style="text") == "Once\n"
    assert written("Once", 1, " two", style="text") == "Once\n1\n two\n"
    assert written(style="text") == ""


def test_json_style_writes_json_lines() -> None:
    assert written("a\nb", 5, style="json") == '"a\\nb"\n5\n'


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "null"),
        (undefined, "null"),
        (True, "true"),
        (float("nan"), "null"),
        ([float("inf"), 1.5], "[null, 1.5]"),
        ({"a": {1: "x"}}, '{"a": {"1": "x"}}'),
        ({1, 2}, "[1, 2]"),
        (b"\x00\xff", "[0, 255]"),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        ("é\ud83d\x1b", '"\\u00e9\\ud83d\\u001b"'),
        (10**30, str(10**30)),
    ],
)
def test_a_line_of_json_for_any_value(value: Any, line: str) -> None:
    assert as_json(value) == line
    json.loads(line)


def test_a_value_that_contains_itself_is_no_json() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(errors.EncodeError, match="contains itself"):
        as_json(circle)


def test_remote_text_cannot_steer_a_terminal() -> None:
    hostile = "a\x1b[2Jb\x1b]0;title\x07c\x9b5md\re\x1b[31mf\x00\tg\n"
    assert without_controls(hostile) == "abc5mdef\tg\n"
    assert without_controls("\x1b[31mred\x1b[0m\x1b[H", keep_colours=True) == "\x1b[31mred\x1b[0m"
    assert written("\x1b[2Jx", style="plain", out=Terminal()) == "x\n"
    assert written("\x1b[2Jx", style="plain") == "\x1b[2Jx\n"  # a file gets what was sent


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (errors.EncodeError("args.0", "x"), 2),
        (errors.ConnectError("ws://x", "refused"), 3),
        (errors.ConnectTimeout("ws://x", "slow"), 3),
        (errors.ConnectionLost("ws://x", "gone"), 3),
        (errors.MessageTooBig(2, 1), 3),
        (errors.RemoteError("x"), 1),
        (errors.RemoteThrow({}, "x"), 1),
        (errors.CallTimeout("m", 1), 4),
        (errors.CallCancelled("m"), 130),
    ],
)
def test_exit_codes(error: errors.KKError, code: int) -> None:
    assert exit_code_for(error) == code


# -- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [["--help"], ["demo", "-h"], ["serve", "-h"], ["call", "-h"]])
def test_help_has_examples(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "kkjupyter" in text
    assert argv[0] == "demo" or "examples:" in text
    if argv[0] == "call":
        assert all(str(code.value) in text for code in ExitCode)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["sing"],
        ["call", "ws://127.0.0.1:1"],
        ["call", "ws://127.0.0.1:1", "x()", "--take", "0"],
        ["call", "ws://127.0.0.1:1", "x()", "--take", "two"],
        ["call", "ws://127.0.0.1:1", "x()", "--timeout", "-1"],
        ["call", "ws://127.0.0.1:1", "x()", "--timeout", "soon"],
        ["serve", "a:b", "--port", "65536"],
        ["demo", "--port", "-1"],
        ["call", "ws://127.0.0.1:1", "x()", "--json", "--text"],
        ["serve", "a:b", "--token", "x", "--no-token"],
    ],
)
def test_wrong_usage_exits_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(argv)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "usage: kkjupyter" in said
    assert "invalid _" not in said  # the name of a function of ours tells nobody anything


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"kkjupyter {__version__}\n"


# -- what is served -------------------------------------------------------------------------------


def test_a_module_names_an_object_a_class_or_a_function() -> None:
    assert type(load_object("kkjupyter.demo:make_api")).__name__ == "DemoApi"
    assert type(load_object("kkjupyter.demo.api:DemoApi")).__name__ == "DemoApi"
    assert load_object("string:digits") == "0123456789"
    assert load_object("kkjupyter.demo:make_api.__name__") == "make_api"


def test_a_file_is_loaded_without_replacing_a_module_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "helper_of_json.py").write_text("answer = 42\n")
    (tmp_path / "json.py").write_text("import helper_of_json\napi = helper_of_json.answer\n")
    assert load_object(f"{tmp_path / 'json.py'}:api") == 42
    import json as real

    assert real.loads("1") == 1


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("kkjupyter.demo", "names nothing to serve"),
        (":api", "names nothing to serve"),
        ("kkjupyter.demo:make_ap", "did you mean 'make_api'"),
        ("kkjupyter.dem:api", "no module named 'kkjupyter.dem'"),
        ("no_such_module_at_all:api", "for a file, write no_such_module_at_all.py"),
        ("missing.py:api", "no file missing.py"),
        ("kkjupyter.demo.model:ToyModel", "is called without arguments"),
    ],
)
def test_what_cannot_be_served_is_explained(target: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        load_object(target)


def test_an_error_inside_the_users_module_passes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        load_object(f"{tmp_path / 'tools.py'}:api")


# -- the notebooks --------------------------------------------------------------------------------


def test_copying_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "a" / "b"
    copy_notebooks(directory)
    names = [path.name for path in notebooks()]
    assert "01_quickstart.ipynb" in names
    assert sorted(path.name for path in directory.iterdir()) == [*names, "services"]
    services = sorted(path.name for path in (notebooks()[0].parent / "services").glob("*.py"))
    assert "openai_service.py" in services
    assert sorted(path.name for path in (directory / "services").iterdir()) == services
    (directory / names[0]).write_text("mine")
    capsys.readouterr()
    copy_notebooks(directory)
    assert (directory / names[0]).read_text() == "mine"
    assert f"kept {directory / names[0]} (differs" in capsys.readouterr().out


# -- output of a kernel ---------------------------------------------------------------------------


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    with io.StringIO() as buffer:
        yield buffer


def message(kind: str, **content: Any) -> dict[str, Any]:
    return {"msg_type": kind, "header": {"msg_type": kind}, "content": content}


def display(kind: str, display_id: str, text: str, **mime: Any) -> dict[str, Any]:
    data = {"text/plain": text, **mime}
    return message(kind, data=data, metadata={}, transient={"display_id": display_id})


def test_stream_text_is_shown_as_it_comes_and_kept_in_one_piece(out: io.StringIO) -> None:
    cell = new_code_cell("print()")
    outputs = Outputs(Screen(out))
    outputs.begin(cell)
    for text in ("a", "b\n", "c"):
        outputs.take(message("stream", name="stdout", text=text), is_ours=True)
    assert out.getvalue() == "ab\nc"
    outputs.take(message("stream", name="stderr", text="!"), is_ours=True)
    outputs.finish()
    assert out.getvalue() == "ab\nc!\n"
    assert [(o["name"], o["text"]) for o in cell.outputs] == [("stdout", "ab\nc"), ("stderr", "!")]


def test_a_display_update_shows_only_what_is_new(out: io.StringIO) -> None:
    cell = new_code_cell("x")
    outputs = Outputs(Screen(out))
    outputs.begin(cell)
    outputs.take(display("display_data", "d1", "5\n"), is_ours=True)
    for text in ("5\n4\n", "5\n4\n", "5\n4\n3\n"):
        outputs.take(display("update_display_data", "d1", text), is_ours=True)
    assert out.getvalue() == "5\n4\n3\n"
    outputs.take(display("update_display_data", "d1", "something else"), is_ours=True)
    assert out.getvalue() == "5\n4\n3\nsomething else"
    assert [o["data"] for o in cell.outputs] == [{"text/plain": "something else"}]


def test_an_update_reaches_the_cell_that_made_the_display(out: io.StringIO) -> None:
    first, second = new_code_cell("a"), new_code_cell("b")
    outputs = Outputs(Screen(out))
    outputs.begin(first)
    outputs.take(display("display_data", "d1", "0"), is_ours=True)
    outputs.begin(second)
    outputs.take(message("stream", name="stdout", text="late\n"), is_ours=False)
    outputs.take(display("update_display_data", "d1", "0 1"), is_ours=False)
    assert first.outputs[0]["data"]["text/plain"] == "0 1"
    assert second.outputs == []
    assert out.getvalue() == "0\nlate\n0 1"


WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def live(comm_id: str, **said: Any) -> dict[str, Any]:
    return message("comm_msg", comm_id=comm_id, data={"method": "custom", "content": said})


def test_a_live_view_is_shown_as_it_is_told_and_kept_as_it_ends(out: io.StringIO) -> None:
    cell = new_code_cell("x")
    outputs = Outputs(Screen(out))
    outputs.begin(cell)
    widget = {WIDGET_VIEW: {"model_id": "m"}}
    outputs.take(display("display_data", "d1", "not finished", **widget), is_ours=True)
    assert cell.outputs[0]["data"] == {"text/plain": "not finished"}  # it would not be found
    assert out.getvalue() == ""
    outputs.take(live("m", kind="delta", offset=0, text="Once"), is_ours=True)
    assert out.getvalue() == "Once"
    outputs.take(live("another", kind="delta", offset=0, text="nothing of ours"), is_ours=True)
    outputs.take(message("comm_msg", comm_id="m", data={"method": "update"}), is_ours=True)
    outputs.take(live("m", kind="delta", offset=4, text=" upon"), is_ours=True)
    outputs.take(live("m", kind="end", end=9, status={}), is_ours=True)
    outputs.take(display("update_display_data", "d1", "Once upon\n2 items"), is_ours=True)
    outputs.finish()
    assert out.getvalue() == "Once upon\n2 items\n"
    assert cell.outputs[0]["data"] == {"text/plain": "Once upon\n2 items"}


def test_a_state_before_the_text_is_shown_after_it(out: io.StringIO) -> None:
    outputs = Outputs(Screen(out))
    outputs.begin(new_code_cell("x"))
    widget = {WIDGET_VIEW: {"model_id": "m"}}
    outputs.take(display("display_data", "d1", "", **widget), is_ours=True)
    outputs.take(live("m", kind="delta", offset=0, text="1\n2\n"), is_ours=True)
    outputs.take(display("update_display_data", "d1", "2 items\n1\n2\n"), is_ours=True)
    outputs.finish()
    assert out.getvalue() == "1\n2\n2 items\n"


def test_a_live_view_that_becomes_another_one_is_shown_anew(out: io.StringIO) -> None:
    outputs = Outputs(Screen(out))
    outputs.begin(new_code_cell("x"))
    widget = {WIDGET_VIEW: {"model_id": "m"}}
    outputs.take(display("display_data", "d1", "", **widget), is_ours=True)
    outputs.take(live("m", kind="reset", text="[1]\n"), is_ours=True)
    outputs.take(live("m", kind="delta", offset=4, text="[2]\n"), is_ours=True)
    outputs.take(display("update_display_data", "d1", "a\n-\n1\n2\n"), is_ours=True)
    assert out.getvalue() == "[1]\n[2]\na\n-\n1\n2\n"


def test_errors_and_results_are_shown_on_lines_of_their_own(out: io.StringIO) -> None:
    cell = new_code_cell("x")
    outputs = Outputs(Screen(out))
    outputs.begin(cell)
    outputs.take(message("stream", name="stdout", text="a"), is_ours=True)
    result = {"data": {"text/plain": "42"}, "metadata": {}, "execution_count": 1}
    outputs.take(message("execute_result", **result), is_ours=True)
    error = {"ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m", "v"]}
    outputs.take(message("error", **error), is_ours=True)
    assert out.getvalue() == "a\n42\nE\nv\n"
    assert [o["output_type"] for o in cell.outputs] == ["stream", "execute_result", "error"]


def test_clear_output_waits_where_it_is_told_to(out: io.StringIO) -> None:
    cell = new_code_cell("x")
    outputs = Outputs(Screen(out))
    outputs.begin(cell)
    outputs.take(message("stream", name="stdout", text="a\n"), is_ours=True)
    outputs.take(message("clear_output", wait=True), is_ours=True)
    assert len(cell.outputs) == 1
    outputs.take(message("stream", name="stdout", text="b\n"), is_ours=True)
    assert [o["text"] for o in cell.outputs] == ["b\n"]
    outputs.take(message("clear_output", wait=False), is_ours=True)
    assert cell.outputs == []


def test_a_cell_is_announced_by_its_explanation_and_first_line(out: io.StringIO) -> None:
    screen = Screen(out)
    screen.head(1, new_markdown_cell("# Title\n\nMore."))
    screen.head(2, new_code_cell("# Why.\na = 1\nb = 2\n\nc = 3\nd = 4"))
    screen.head(3, new_code_cell(""))
    assert out.getvalue() == "\nTitle\n\n[2] # Why.\n    a = 1\n    b = 2  (+3 lines)\n\n[3] \n"
