"""The saved form of an answer that was asked for again: how much room those before it have."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.earlier import alone, with_earlier, within
from kkjupyter.notebook.views.saved_form import MIME_TYPE
from kkjupyter.notebook.views.saved_size import bundle_bytes

LIMIT_BYTES = 100_000


def finished(text: str, state: Any = "done", view: str = "text") -> dict[str, Any]:
    made = make_view(view)
    made.feed([text])
    made.finish()
    return made.bundle(Status(3, "f()", state, "stream", 1, 0.5, 0.1))


def test_without_others_an_output_is_as_it_was() -> None:
    newest = finished("new")
    assert with_earlier(newest, [], limit_bytes=LIMIT_BYTES) == newest


def test_the_oldest_are_left_out_first_and_it_says_so() -> None:
    newest = finished("new " * 5_000)
    earlier = [alone(finished(f"{n} " + "old " * 6_000)) for n in range(5)]
    kept = within(newest, earlier, LIMIT_BYTES)
    assert kept == earlier[2:]
    output = with_earlier(newest, kept, left_out=2, limit_bytes=LIMIT_BYTES)
    assert bundle_bytes(output) <= LIMIT_BYTES
    assert output[MIME_TYPE]["earlier_left_out"] == 2
    assert output["text/plain"].endswith(
        "── 2 earlier answers left out: there is no room for more in a notebook file"
    )


def test_html_that_repeats_the_text_is_left_out_where_it_has_no_room() -> None:
    newest, before = finished("new " * 10_000), alone(finished("old"))
    output = with_earlier(newest, [before], limit_bytes=LIMIT_BYTES)
    assert "text/html" in output
    output = with_earlier(finished("new " * 15_000), [before], limit_bytes=LIMIT_BYTES)
    assert "text/html" not in output
    assert "── earlier answer\nold" in output["text/plain"]


def test_html_of_the_views_stands_there_as_it_was_escaped() -> None:
    before = alone(finished("**old** <b>", view="markdown"))
    output = with_earlier(finished("<i>new"), [before], limit_bytes=LIMIT_BYTES)
    html = output["text/html"]
    assert before["text/html"] in html
    assert "&lt;i&gt;new" in html
    assert "<i>" not in html


def test_the_places_count_as_a_page_counts() -> None:
    newest, before = finished("😀\n"), alone(finished("old", "cancelled"))
    output = with_earlier(newest, [before], limit_bytes=LIMIT_BYTES)
    assert output[MIME_TYPE]["at"] == (0, 3)
    start, end = output[MIME_TYPE]["earlier"][0]["at"]
    units = output["text/plain"].encode("utf-16-le")
    assert units[2 * start : 2 * end].decode("utf-16-le") == "old\n[■ cancelled after 1 item]"
