"""What is written after ``%rpc``, and how it is understood."""

from __future__ import annotations

import ast
import contextlib
import sys
import time
from typing import Any

import pytest

from kkjupyter.errors import UsageError
from kkjupyter.notebook.magic.options import COMMANDS, OPTIONS, Header, help_text
from kkjupyter.notebook.magic.parser import interpolate, parse, with_body


class Recorder:
    """Stands for a connection: every call returns what it was given."""

    def f(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs


def evaluated(line: str, **names: Any) -> Any:
    request = parse(line, names)
    assert request.command == "call"
    assert request.expression is not None
    code = compile(request.expression, "<test>", "eval")
    return eval(code, {"api": Recorder(), **names})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('api.f("$x")', "$x"),
        ('api.f("{x}")', "{x}"),
        ('api.f("{{")', "{{"),
        ('api.f(f"{x + 1}")', "6"),
        ("api.f(f'{x:>3}')", "  5"),
        ('api.f({"a": 1})', {"a": 1}),
        ("api.f({1, 2})", {1, 2}),
        ("api.f([1, *(2, 3)])", [1, 2, 3]),
        ("api.f(x --y)", 7),
        ("api.f(-x)", -5),
        ('api.f("--view json")', "--view json"),
        ("api.f(' --view ')", " --view "),
        ('api.f("""a\nb --take 3""")', "a\nb --take 3"),
        ('api.f("# no comment")', "# no comment"),
        ("api.f(x)  # a comment --view json", 5),
        ("api.f((lambda: x)())", 5),
        ('api.f("é😀")', "é😀"),
        (r'api.f("a\"b --view c")', 'a"b --view c'),
        ("api.f(\n  x,  # first\n)", 5),
        ("api.f(';');", ";"),
    ],
)
def test_an_expression_is_taken_as_written(line: str, value: Any) -> None:
    assert evaluated(line, x=5, y=2) == ((value,), {})
    assert evaluated(line + " --take 3" if "#" not in line else line, x=5, y=2) == ((value,), {})


def test_arithmetic_that_looks_like_an_option_stays_arithmetic() -> None:
    assert evaluated("a --b", a=5, b=2) == 7
    assert evaluated("a --b --take 3", a=5, b=2) == 7
    assert evaluated("a --viev", a=5, viev=2) == 7
    assert parse("api.f() --viewer()", {"viewer": 1}).source == "api.f() --viewer()"


@pytest.mark.parametrize(
    "line",
    [
        "api.f() --take 3 --view json",
        "api.f()  --take=3   --view=json  # and a comment",
        "api.f() --view 'json' --take \"3\"",
        "  api.f() --view json --take 3 ",
    ],
)
def test_options_end_the_expression(line: str) -> None:
    request = parse(line)
    assert request.source == "api.f()"
    assert (request.options.take, request.options.view) == (3, "json")


def test_every_option_of_a_call() -> None:
    options = parse(
        "f() --view text --out r --background --take 2 --for 1.5 --keep --timeout 3 "
        "--interpolate --no-raise"
    ).options
    assert (options.view, options.out, options.background) == ("text", "r", True)
    assert (options.take, options.for_s, options.timeout_s) == (2, 1.5, 3.0)
    assert (options.keep, options.interpolate, options.no_raise) == (True, True, True)


def test_an_apostrophe_in_a_comment_or_option_needs_no_python() -> None:
    assert parse("api.f() --for 10 # don't").options.for_s == 10
    assert parse("api.f()  # don't").source == "api.f()"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("api.f() --veiw json", "unknown option --veiw; did you mean '--view'?"),
        ("api.f() --backgroud", "unknown option --backgroud; did you mean '--background'?"),
        ("api.f() --xyz 3", "unknown option --xyz"),
        ("api.f() --take 3 --veiw json", "unknown option --veiw; did you mean '--view'?"),
        ("api.f() --force", "--force belongs to `%rpc connect`"),
        ("connect demo --view json", "--view belongs to a call and `%rpc show`"),
        ("api.f() --take", "--take needs a value: --take N"),
        ("api.f() --take --view json", "--take needs a value: --take N"),
        ("api.f() --take 0", "--take needs a whole number above 0, not '0'"),
        ("api.f() --for -3", "--for needs a number of seconds above 0, not '-3'"),
        ("api.f() --for nan", "--for needs a number of seconds above 0, not 'nan'"),
        ("api.f() --out a.b", "--out needs the name of a Python variable, not 'a.b'"),
        ("api.f() --out class", "--out needs the name of a Python variable, not 'class'"),
        ("api.f() --keep=1", "--keep takes no value"),
        ("api.f() --take 1 --take 2", "--take is given twice"),
        ("api.f() --view json more", "'more' is not part of the options"),
        ("api.f() --view 'json", "a quote is not closed"),
        ("conect demo as api", "unknown command 'conect'; did you mean 'connect'?"),
        ("watch on", "unknown command 'watch' (known: connect, status, "),
        ("x = api.f(1)", "to keep the result write `x = %rpc api.f(1)`"),
        ("for x in api.f(): pass", "not a Python expression"),
        ("api.f 3", "not a Python expression"),
        ("api.f([await g()])", "write `value = await g()` on its own line before"),
        ("[n async for n in api.f()]", "`await` inside the expression"),
        ("api.f($x)", "not a Python expression"),
        ("api.f('a", "not a Python expression"),
        ("api.f(\0)", "not a Python expression"),
    ],
)
def test_a_fault_is_named_with_its_cure(line: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert text in str(caught.value)


def test_the_caret_stands_under_the_fault() -> None:
    with pytest.raises(UsageError) as caught:
        parse("api.f({")
    message, shown, caret = str(caught.value).split("\n")
    assert "'{' was never closed" in message
    assert shown[caret.index("^")] == "{"

    with pytest.raises(UsageError) as caught:
        parse("  api.f() --veiw json")
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^") :] == "--veiw json"
    assert shown.startswith("  %rpc api.f()")


def test_the_caret_on_a_later_line() -> None:
    with pytest.raises(UsageError) as caught:
        parse("api.f(\n  1,\n  ])")
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^")] == "]"


def test_sub_commands_and_names_equal_to_one() -> None:
    assert parse("connect demo as api").words == ("demo", "as", "api")
    assert parse("connect ws://h:1/p#frag as api  # here").words == ("ws://h:1/p#frag", "as", "api")
    assert parse("status").command == "status"
    assert parse(" cancel --all").options.all
    assert parse("show 12 --view json").options.view == "json"
    assert parse("close api").words == ("api",)
    for line in ("status.theme", "close(api)", "show [0]", "connect .x", "statuses", "cancel()"):
        assert parse(line).command == "call", line


def test_nothing_and_help() -> None:
    assert parse("").expression is None
    assert parse("  # only a comment").expression is None
    assert parse("--help").options.help
    assert parse("connect --help").options.help


def test_help_as_a_word() -> None:
    assert parse("help") == parse(" help  # please") == parse("--help")
    assert parse("help connect") == parse("connect --help")
    for line in ("help.topic", "help(5)"):
        assert parse(line).expression is not None
    assert parse("help", {"help"}).source == "help"  # a variable of one's own
    with pytest.raises(UsageError, match="unknown command 'help'"):
        parse("help nothing")


def test_an_await_in_front_is_dropped_since_the_magic_waits_anyway() -> None:
    assert evaluated("await api.f(1)") == ((1,), {})


def test_headers() -> None:
    options = parse("connect ws://h --header 'X-A: b c' --header \"X-Key: env:KEY\"").options
    assert options.headers == (Header("X-A", "b c"), Header("X-Key", "", "KEY"))
    bearer = parse("connect ws://h --header 'Authorization: Bearer env:TOK'").options.headers
    assert bearer == (Header("Authorization", "Bearer ", "TOK"),)
    with pytest.raises(UsageError, match="'Name: value' or 'Name: env:VARIABLE'"):
        parse("connect ws://h --header nonsense")


@pytest.mark.parametrize(
    "name", ["Authorization", "cookie", "X-Api-Key", "X-Auth-Token", "my-secret", "Password"]
)
def test_a_literal_secret_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"connect ws://h --header '{name}: hunter2'")
    text = str(caught.value)
    assert "hunter2" not in text
    for cure in ("--token-env", "--token-ask", f"--header '{name}: env:"):
        assert cure in text


@pytest.mark.parametrize(
    "url",
    [
        "ws://h/?token=hunter2",
        "ws://me:hunter2@h/",
        "ws://h?apikey=hunter2",
        "nats://hunter2@h/lab",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"connect {url} as api")
    assert "hunter2" not in str(caught.value)
    assert "--token-env" in str(caught.value)


# --- %%rpc ---


def with_text(line: str, body: str) -> Any:
    request = with_body(parse(line, magic="%%rpc"), body)
    assert request.expression is not None
    return eval(compile(request.expression, "<test>", "eval"), {"api": Recorder()})


@pytest.mark.parametrize(
    "body", ["Hi\n", "Explain {topic} \"in\" 'one' $x\n", "a\n\n", "\\n {{x}} %d\n", '"""\n', ""]
)
def test_the_body_is_the_last_positional_argument(body: str) -> None:
    assert with_text('api.f(1, model="toy") --view json', body) == (
        (1, body.removesuffix("\n")),
        {"model": "toy"},
    )


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": ["w{x}", 1.5, null, {"b": -1}]}\n', {"a": ["w{x}", 1.5, None, {"b": -1}]}),
        ("42\n", 42),
        ('"text"', "text"),
        ("Tell me {more}\n", "Tell me {more}"),
        ("{not json}\n", "{not json}"),
        ("NaN", "NaN"),
        ("", ""),
    ],
)
def test_the_body_of_a_vovk_handler_has_a_name(body: str, value: object) -> None:
    request = with_body(parse("api.f(query={'a': 1})", magic="%%rpc"), body, named=True)
    assert request.expression is not None
    called = eval(compile(request.expression, "<test>", "eval"), {"api": Recorder()})
    assert called == ((), {"query": {"a": 1}, "body": value})


def test_a_body_that_is_there_already() -> None:
    with pytest.raises(UsageError, match="leave the one in the first line out"):
        with_body(parse("api.f(body=1)", magic="%%rpc"), "text\n", named=True)


@pytest.mark.parametrize("line", ["api.f", "", "api.f() + 1", "x"])
def test_a_body_needs_a_call(line: str) -> None:
    with pytest.raises(UsageError, match="call"):
        with_body(parse(line, magic="%%rpc"), "text\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Explain {topic}.", "Explain rain."),
        ('{"a": {topic}}', '{"a": rain}'),
        (
            "{{topic}} {topic!r} { topic } {topic.x} {}",
            "{{topic}} {topic!r} { topic } {topic.x} {}",
        ),
        ("{topic}{n}", "rain3"),
        ("no braces", "no braces"),
    ],
)
def test_interpolation_replaces_names_only(text: str, expected: str) -> None:
    assert interpolate(text, {"topic": "rain", "n": 3}) == expected


def test_an_unknown_name_in_an_interpolated_text() -> None:
    with pytest.raises(UsageError, match="unknown variable 'topci'; did you mean 'topic'"):
        interpolate("{topci}", {"topic": 1})


# --- the tables ---


def test_the_help_names_every_command_and_option() -> None:
    text = help_text()
    for name in [*OPTIONS, *COMMANDS]:
        # --all and --help belong to the commands' own help.
        assert name in text or name in ("--help", "--all")
    assert "--all" in help_text("cancel")


def test_the_help_is_in_columns_and_leaves_out_what_there_is_none_of() -> None:
    listed = help_text().partition("\ncommands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(listed) == len(COMMANDS)
    starts = {line.index(row.help) for line, row in zip(listed, COMMANDS.values(), strict=True)}
    assert len(starts) == 1
    assert "options:" in help_text("connect")
    assert "options:" not in help_text("status")


def test_each_expression_keeps_its_place_for_tracebacks() -> None:
    tree = parse("api.f(\n 1)").expression
    assert isinstance(tree, ast.Expression)
    assert tree.body.lineno == 1


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("api.f(x) --view table;", "api.f(x) --view table"),
        ("api.f(x) --view table ; ", "api.f(x) --view table"),
        ("api.f(x) --take 3;", "api.f(x) --take 3"),
        ("api.f(x) --background;", "api.f(x) --background"),
        ("status;", "status"),
        ("cancel --all;", "cancel --all"),
        ("close api;", "close api"),
        ("connect ws://127.0.0.1:1 as api;", "connect ws://127.0.0.1:1 as api"),
        ("help;", "help"),
    ],
)
def test_a_semicolon_at_the_end_is_no_part_of_any_word(line: str, same: str) -> None:
    got, wanted = parse(line), parse(same)
    assert (got.command, got.words, got.source) == (wanted.command, wanted.words, wanted.source)
    assert got.options == wanted.options


# Python 3.11 gives up on fewer of them, and in another way.
DEPTHS = (3_000, 5_000, 20_000) if sys.version_info < (3, 12) else (20_000,)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("before", "sign", "after"), [("", "-", "1"), ("api.f(", "not ", "1)")])
def test_more_than_python_reads_is_an_error_of_ours(
    before: str, sign: str, after: str, depth: int
) -> None:
    line = before + sign * depth + after
    for text in (line, f"{line} --unknown"):
        with pytest.raises(UsageError):
            parse(text)


def test_an_address_that_is_none_is_left_to_who_connects() -> None:
    assert parse("connect ws://[x as api").words == ("ws://[x", "as", "api")


def test_a_long_line_of_what_may_be_options_is_parsed_once() -> None:
    line = "api.x() " + " ".join(f"--q{at}.ticks()" for at in range(800))  # minus minus q0.ticks()
    begun_s = time.thread_time()
    assert parse(line).source == line
    assert time.thread_time() - begun_s < 2


@pytest.mark.parametrize("end", ["", "$", "tfor", "\x00"])
def test_blanks_that_python_cannot_read_cost_nothing(end: str) -> None:
    begun_s = time.thread_time()
    with contextlib.suppress(UsageError):
        parse("tfor" + " " * 20_000 + end)
    assert time.thread_time() - begun_s < 2


def test_of_a_long_line_an_error_shows_the_place() -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"api.x({'1, ' * 2_000}) --veiw json {'# ' * 2_000}")
    shown = str(caught.value).splitlines()
    assert max(map(len, shown)) < 200
    column = shown[-1].index("^")
    assert shown[-2][column:].startswith("--veiw json")
