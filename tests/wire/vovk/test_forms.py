"""Forms, written and read; what is written is also read by a library."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from support.vovk.servers import bounded

from kkjupyter.errors import EncodeError, ProtocolError, ValidationError
from kkjupyter.vovk.client.json_schema.validation import HandlerChecks
from kkjupyter.wire.vovk.forms import (
    FORM,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MULTIPART,
    File,
    encode_form,
    form_types,
    form_values,
    read_form,
)
from kkjupyter.wire.vovk.request import build_request
from kkjupyter.wire.vovk.schema.model import Handler

PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
ROOT = "http://127.0.0.1/api"
PICTURE = File('é "1".png', b"\x89PNG\r\n--\x00", "image/png")
FIELDS: dict[str, Any] = {
    "title": "é\u2028",
    "n": 5,
    "tags": ["a", "b"],
    "none": None,
    'odd "name"\r\n': True,
    "empty": "",
    "raw": b"\r\n\r\n\xff",
    "pictures": [PICTURE, File("b.txt", b"")],
}
READ = {
    "title": "é\u2028",
    "n": "5",
    "tags": ["a", "b"],
    'odd "name"\r\n': "true",
    "empty": "",
    "raw": File("raw", b"\r\n\r\n\xff"),
    "pictures": [PICTURE, File("b.txt", b"")],
}


def takes(*content_types: str, **fields: Any) -> Handler:
    schema = {"type": "object", "properties": fields, "x-contentType": list(content_types)}
    return Handler("act", "POST", "act", "C", validation={"body": schema})


def test_a_form_with_files_comes_back() -> None:
    assert read_form(*encode_form(FIELDS, multipart=True)) == READ


def test_a_library_reads_the_same() -> None:
    async def main() -> None:
        seen: dict[str, Any] = {}

        async def handle(request: web.Request) -> web.Response:
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    read = File(value.filename, value.file.read(), value.content_type)
                    seen.setdefault(name, []).append(read)
                else:
                    seen.setdefault(name, []).append(value)
            return web.Response()

        app = web.Application()
        app.router.add_post("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            data, content_type = encode_form(
                {name: value for name, value in FIELDS.items() if name.isalpha()}, multipart=True
            )
            host, port = runner.addresses[0]
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    f"http://{host}:{port}/", data=data, headers={"Content-Type": content_type}
                ),
            ):
                pass
        finally:
            await runner.cleanup()
            await asyncio.sleep(0)
        assert {name: one if len(one) > 1 else one[0] for name, one in seen.items()} == {
            name: value
            if name != "pictures"
            else [File("é %221%22.png", PICTURE.data, "image/png"), READ["pictures"][1]]
            for name, value in READ.items()
            if name.isalpha()
        }

    bounded(main)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: "%" not in name),
        st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(lambda b: File("f", b)),
    )
)
def test_any_form_comes_back(fields: dict[str, Any]) -> None:
    assert read_form(*encode_form(fields, multipart=True)) == fields


def test_a_form_without_files() -> None:
    data, content_type = encode_form({"a": "x y", "l": [1, None, True]}, multipart=False)
    assert (data, content_type) == (b"a=x+y&l=1&l=true", FORM)
    assert read_form(data + b"&e=", content_type) == {"a": "x y", "l": ["1", "true"], "e": ""}


@pytest.mark.parametrize(
    ("body", "multipart", "path"),
    [
        ([1], True, "body"),
        ({"a": {}}, True, "body.a"),
        ({"a": [[1]]}, True, "body.a"),
        ({1: "a"}, True, "body"),
        ({"a": "\ud83d"}, True, "body"),
        ({"a": b"x"}, False, "body.a"),
    ],
)
def test_what_has_no_place_in_a_form(body: Any, multipart: bool, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_form(body, multipart=multipart)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"a=1", ""),
        (b"{}", "application/json"),
        (b"--x--", MULTIPART),
        (b"--x\r\nContent-Disposition: form-data", f"{MULTIPART}; boundary=x"),
        (b"--x\r\n\r\n1\r\n--x--", f"{MULTIPART}; boundary=x"),
        (b"a=1" + b"&a=1" * MAX_FIELDS, FORM),
        (b"&" * 10 * MAX_FIELDS, FORM),
        (PART * (MAX_FIELDS + 1) + b"--x--", f"{MULTIPART}; boundary=x"),
        (b"--x\r\n" + b"a:b\r\n" * MAX_HEAD_BYTES + b"\r\n1\r\n--x--", f"{MULTIPART}; boundary=x"),
    ],
)
def test_what_is_no_form(data: bytes, content_type: str) -> None:
    with pytest.raises(ProtocolError, match="form"):
        read_form(data, content_type)


def test_a_form_may_have_so_many_fields() -> None:
    assert len(read_form(b"&a=1" * (MAX_FIELDS - 1), FORM)["a"]) == MAX_FIELDS - 1
    data = PART * MAX_FIELDS + b"--x--"
    assert len(read_form(data, f"{MULTIPART}; boundary=x")["a"]) == MAX_FIELDS


@pytest.mark.parametrize(
    ("types", "body", "kind"),
    [
        ([MULTIPART], {"a": 1}, MULTIPART),
        ([FORM], {"a": 1}, FORM),
        ([FORM, MULTIPART], {"a": 1}, FORM),
        ([FORM, MULTIPART], {"a": b"1"}, MULTIPART),
        ([MULTIPART, "application/json"], {"a": 1}, "application/json"),
    ],
)
def test_what_the_schema_wants(types: list[str], body: Any, kind: str) -> None:
    request = build_request(takes(*types), ROOT, body=body)
    assert request.headers["content-type"].partition(";")[0] == kind


def test_the_callers_type_gets_its_boundary() -> None:
    handler = Handler("act", "POST", "act", "C")
    headers = {"Content-Type": MULTIPART}
    request = build_request(handler, ROOT, body={"a": b"1"}, headers=headers)
    [content_type] = [v for k, v in request.headers.items() if k.lower() == "content-type"]
    assert read_form(request.body or b"", content_type) == {"a": File("a", b"1")}


def test_a_form_is_held_to_its_schema() -> None:
    fields = {
        "n": {"type": "integer"},
        "file": {"type": "string", "format": "binary", "maxLength": 3},
        "all": {"type": "array", "items": {"type": "string"}},
    }
    checks = HandlerChecks(takes(MULTIPART, **fields))
    checks.check(body={"n": "5", "file": b"\xff\x00\x01", "all": [File("a", b"1")]})
    with pytest.raises(ValidationError) as caught:
        checks.check(body={"n": "x", "file": b"1234"})
    assert [issue["path"] for issue in caught.value.issues] == ["body.n", "body.file"]


def test_a_file_is_shown_without_what_is_in_it() -> None:
    assert repr(File("a.bin", b"secret")) == "<File 'a.bin', application/octet-stream, 6 bytes>"


def test_where_json_will_do_no_form_is_made() -> None:
    assert form_types(["multipart/form-data; charset=utf-8"]) == [MULTIPART]
    assert form_types(["*/*", FORM]) == []
    assert form_types(["application/vnd.x+json", MULTIPART]) == []


def test_what_is_checked_is_what_is_sent() -> None:
    body = {"none": None, "tags": [], "one": 1, "file": File("f", b"\xff")}
    assert form_values(body) == {"tags": [], "one": "1", "file": "\xff"}


LINE_ENDS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\0", "\x7f"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_the_type_of_a_file_is_one_line(end: str) -> None:
    for content_type in (f"text/plain{end}X-Other: 1", f"text/plain{end}{end}data", end):
        file = File("a.txt", b"x", content_type)
        for body in ({"file": file}, {"files": [File("b.txt", b""), file]}):
            with pytest.raises(EncodeError, match="media type") as caught:
                encode_form(body, multipart=True)
            assert caught.value.path.endswith(".content_type")
    with pytest.raises(EncodeError, match="media type"):
        encode_form({"file": File("a.txt", b"x", None)}, multipart=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [end for end in LINE_ENDS if end < "\x80"], ids=ascii)
def test_names_of_fields_and_files_end_no_line(end: str) -> None:
    body = {f"na{end}X-Field: 1": "text", "file": File(f'a"{end}X-File: 1', b"x")}
    form, content_type = encode_form(body, multipart=True)
    heads = [part.partition(b"\r\n\r\n")[0] for part in form.split(b"\r\n--")]
    lines = [line for head in heads for line in head.split(b"\r\n")]
    assert not any(line.startswith(b"X-") for line in lines)
    assert not any(end.encode() in line for line in lines)
    assert read_form(form, content_type) == body


def test_types_that_are_odd_but_harmless_pass() -> None:
    for content_type in ("", "text", "text/plain; charset=utf-8", 'a/b; c="d e"'):
        form = encode_form({"file": File("a", b"x", content_type)}, multipart=True)
        assert read_form(*form)["file"].content_type == content_type
