"""Values with a form of their own, all of them or the newest only."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any

import numpy
import pandas
import pytest
from IPython.core.formatters import DisplayFormatter
from IPython.display import HTML, SVG, Image, Markdown

from kkjupyter.notebook.output.fallback import FallbackView
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.auto import AutoView
from kkjupyter.notebook.views.rich import latest, mime
from kkjupyter.notebook.views.rich.latest import LatestInTerminal, LatestView
from kkjupyter.notebook.views.rich.mime import forms_of, has_rich_form
from kkjupyter.notebook.views.rich.view import RichView
from kkjupyter.notebook.views.saved_form import MIME_TYPE

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
PNG_TEXT = base64.b64encode(PNG).decode()
DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1)


class Picture:
    def __repr__(self) -> str:
        return "<a picture>"

    def _repr_png_(self) -> Any:
        return PNG, {"width": 40}


class Bundled:
    def __init__(self, **forms: Any) -> None:
        self.forms = forms

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return {name.replace("_", "/"): form for name, form in self.forms.items()}


class Broken:
    def _repr_html_(self) -> str:
        raise RuntimeError("no table")


class Anything:
    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: "anything"


def lines(source: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in source.splitlines()]


# ---- the forms of a value


@pytest.mark.parametrize(
    ("value", "mime_type", "form"),
    [
        (Picture(), "image/png", PNG_TEXT),
        (HTML("<b>x</b>"), "text/html", "<b>x</b>"),
        (Markdown("**x**"), "text/markdown", "**x**"),
        (Image(data=PNG, format="png"), "image/png", PNG_TEXT),
        (Bundled(application_json={"a": 1}), "application/json", {"a": 1}),
    ],
)
def test_a_value_has_the_form_that_a_notebook_shows(value: Any, mime_type: str, form: Any) -> None:
    assert has_rich_form(value)
    data = forms_of(value).data
    shown = data[mime_type]
    assert (shown.strip() if isinstance(shown, str) else shown) == form
    assert isinstance(data["text/plain"], str)


def test_what_is_known_of_a_form_comes_along() -> None:
    assert forms_of(Picture()).metadata == {"image/png": {"width": 40}}
    assert forms_of(Picture()).data["text/plain"] == "<a picture>"


@pytest.mark.parametrize("value", ["text", 5, {"a": 1}, [1], None, Anything(), object(), Picture])
def test_what_is_text_anyway(value: Any) -> None:
    assert not has_rich_form(value)
    assert [*forms_of(value).data] == ["text/plain"]


def test_formulas_that_a_library_has_registered_for_numbers_are_not_rich(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    formatter = DisplayFormatter()
    formatter.formatters["text/latex"].for_type(int, lambda value: f"${value}$")
    formatter.formatters["text/latex"].for_type(Anything, lambda value: "$x$")
    monkeypatch.setattr(mime, "_display_formatter", lambda: formatter)
    assert not has_rich_form(5)
    assert forms_of(Anything()).data["text/latex"] == "$x$"


def test_one_form_is_made() -> None:
    made = []

    class Both:
        def _repr_html_(self) -> str:
            made.append("html")
            return "<i>x</i>"

        def _repr_png_(self) -> bytes:
            made.append("png")
            return PNG

    assert forms_of(Both()).data.keys() == {"text/html", "text/plain"}
    assert made == ["html"]


def test_a_figure_that_pyplot_does_not_know() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(1, 1))
    assert base64.b64decode(forms_of(figure).data["image/png"]).startswith(b"\x89PNG")


# ---- all values


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (Picture(), "rich"),
        (pandas.DataFrame({"a": [1]}), "rich"),
        ({"a": 1}, "table"),
        ("text", "text"),
        (1, "json"),
        (numpy.float64(1), "json"),
    ],
)
def test_auto_takes_it_for_what_has_a_form_of_its_own(first: Any, name: str) -> None:
    view = make_view()
    view.feed([first])
    assert isinstance(view, AutoView)
    assert view.chosen is not None
    assert view.chosen.name == name


def test_each_value_is_a_line_of_the_source() -> None:
    source = RichView().feed([Picture(), "é\ud800\x1b[1m", {"a": [1]}])
    first, second, third = lines(source)
    assert first["data"] == {"image/png": PNG_TEXT, "text/plain": "<a picture>"}
    assert first["metadata"] == {"image/png": {"width": 40}}
    assert second["data"] == {"text/plain": "é\ufffd␛[1m"}
    assert json.loads(third["data"]["text/plain"]) == {"a": [1]}
    assert "\n  " in third["data"]["text/plain"]


def test_what_is_saved() -> None:
    view = RichView()
    view.feed([Picture(), HTML("<b>x</b>"), SVG("<svg/>"), Markdown("*y*"), "a < b"])
    bundle = view.bundle(DONE)
    html = bundle["text/html"]
    assert f'<img alt="&lt;a picture&gt;" src="data:image/png;base64,{PNG_TEXT}" width="40"' in html
    for part in ("<b>x</b>", "data:image/svg+xml;base64,", "<em>y</em>", "a &lt; b"):
        assert part in html
    assert bundle["text/plain"].startswith("<a picture>\n<IPython.core.display.HTML object>\n")
    assert bundle[MIME_TYPE]["source"] == view.text
    assert "image/png" not in bundle


def test_the_newest_are_kept_and_a_line_says_how_many_are_not() -> None:
    view = RichView(saved_bytes=100_000)
    for at in range(200):
        view.feed([f"{at} {'x' * 1000}"])
    kept = lines(view.text)
    assert view.version > 0
    left_out = kept[0]["left_out"]
    assert [one["data"]["text/plain"].split()[0] for one in kept[1:]] == [
        str(at) for at in range(left_out, 200)
    ]
    assert len(view.text) < 100_000
    bundle = view.bundle(DONE)
    assert bundle["text/plain"].startswith("… ")
    assert f"{199} xxx" in bundle["text/plain"]
    assert len(json.dumps(bundle)) < 110_000
    # Of many small ones not all, either.
    view = RichView()
    view.feed(["x"] * 1000)
    assert lines(view.text)[0]["left_out"] == 800


def test_what_is_too_large_is_said_in_words() -> None:
    (line,) = lines(RichView().feed([Bundled(text_html="x" * 2_000_000)]))
    assert [*line["data"]] == ["text/plain"]
    assert line["data"]["text/plain"].endswith(
        "[too large to be shown: text/html of 2,000,000 characters]"
    )


def test_a_view_that_auto_has_chosen_begins_anew_like_any() -> None:
    view = make_view(saved_bytes=100_000)
    view.feed([Picture()])
    before = view.version
    view.feed([Bundled(text_html=letter * 70_000) for letter in "xy"])
    assert view.version == before + 1
    assert "left_out" in view.text


def test_a_form_that_raises_is_shown_as_json() -> None:
    view = FallbackView(make_view("rich"))
    source = view.feed([Broken()])
    assert view.name == "json"
    assert "Broken" in source


def test_in_a_terminal_it_is_text() -> None:
    view = make_view("rich", in_terminal=True)
    assert view.feed([Picture(), "\x1b[2Jx", [1]]) == "<a picture>\nx\n[\n  1\n]\n"


# ---- the newest value


def shown(view: LatestView) -> str:
    return str(lines(view.text)[-1]["data"]["text/plain"])


def test_only_the_newest_is_drawn_and_saved() -> None:
    view = LatestView()
    first = view.feed([1, 2, 3])
    assert len(lines(first)) == 1
    assert shown(view) == "3"
    view.feed([4])
    view.finish()
    assert shown(view) == "4"
    bundle = view.bundle(DONE)
    assert bundle["text/plain"] == "4\n"
    assert len(lines(bundle[MIME_TYPE]["source"])) == 1
    assert "text/html" not in bundle  # the text says as much


def test_a_picture_is_saved_as_such_too() -> None:
    view = LatestView()
    view.feed([Picture()])
    assert view.bundle(DONE)["image/png"] == PNG_TEXT


def test_a_value_that_comes_too_soon_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(latest.time, "monotonic", lambda: now_s[0])
    view = LatestView()
    assert view.feed([1])
    assert not view.is_behind
    assert view.feed([2]) == ""
    assert view.feed([3]) == ""
    assert view.is_behind
    assert view.catch_up() == ""
    now_s[0] += 0.04
    assert lines(view.catch_up())[0]["data"] == {"text/plain": "3"}
    assert not view.is_behind
    assert view.catch_up() == ""


def test_one_that_takes_long_to_draw_leaves_as_much_time_to_others() -> None:
    class Slow:
        def _repr_html_(self) -> str:
            time.sleep(0.2)
            return "slow"

    view = LatestView()
    view.feed([Slow()])
    begun_s = time.monotonic()
    while not view.feed([Slow()]):
        time.sleep(0.005)
    assert time.monotonic() - begun_s >= 0.35


def test_after_a_first_one_that_took_seconds_the_next_comes_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [100.0]
    monkeypatch.setattr(latest.time, "monotonic", lambda: now_s[0])

    class First:
        def _repr_html_(self) -> str:
            now_s[0] += 8  # what draws it is imported
            return "first"

    view = LatestView()
    assert view.feed([First()])
    assert view.feed([2]) == ""
    now_s[0] += 0.51
    assert lines(view.catch_up())[0]["data"] == {"text/plain": "2"}


def test_old_pictures_do_not_fill_the_page() -> None:
    view = LatestView()
    pictures = [Bundled(image_png="A" * 100_000, text_plain=str(at)) for at in range(50)]
    for picture in pictures:
        view.feed([picture])
        view.finish()
        assert len(view.text) < 260_000
    assert view.version >= 20
    assert shown(view) == "49"
    # Whoever missed that everything began anew gets nothing in the wrong place.
    assert view.transcript.since(100_000) is None
    assert view.transcript.end > 5_000_000


def test_in_a_terminal_about_one_a_second_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(latest.time, "monotonic", lambda: now_s[0])
    view = make_view("latest", in_terminal=True)
    assert isinstance(view, LatestInTerminal)
    assert view.feed([1, 2]) == "2\n"
    assert view.feed([3]) == ""
    now_s[0] += 1.1
    assert view.feed([4]) == "4\n"
    assert view.feed([5]) == ""
    assert view.finish() == "5\n"


def test_a_picture_of_pillow() -> None:
    images = pytest.importorskip("PIL.Image")
    (line,) = lines(LatestView().feed([images.new("RGB", (4, 3), "red")]))
    picture = base64.b64decode(line["data"]["image/png"])
    assert images.open(io.BytesIO(picture)).size == (4, 3)
