"""Schemas of every generation of Vovk to one model, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kkjupyter.errors import UsageError
from kkjupyter.wire.vovk.schema.model import Controller, Handler, Schema, Segment, split_path
from kkjupyter.wire.vovk.schema.names import Names, camel_case, names_of, snake_case
from kkjupyter.wire.vovk.schema.reading import read_controller, read_files, read_schema
from kkjupyter.wire.vovk.schema.writing import (
    auto_path,
    auto_path_before_3,
    write_answer,
    write_files,
    write_metadata,
    write_schema,
    write_segment,
)

RECORDED = Path(__file__).parents[1] / "peers" / "vovk" / "schemas"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text("utf-8"))


ROOT = recorded("new-3.7.0-vovk-schema-root.json")
META = recorded("new-3.7.0-vovk-schema-_meta.json")
METADATA = recorded("old-0.1.7-vovk-metadata.json")
LIST = {"path": "list", "httpMethod": "GET"}


def segment(name: str, *controllers: str, **fields: Any) -> dict[str, Any]:
    return {
        "segmentName": name,
        "controllers": {one: {"prefix": "", "handlers": {"list": LIST}} for one in controllers},
        **fields,
    }


# ---- reading


def test_a_segment_of_3() -> None:
    schema = read_schema(ROOT)
    assert (schema.wire_format, schema.root_entry, list(schema.segments)) == (
        "jsonlines",
        "api",
        [""],
    )
    assert list(schema.segments[""].controllers) == ["HelloRPC", "ValidRPC"]
    controller = schema.segments[""].controllers["ValidRPC"]
    assert (controller.original_name, controller.prefix) == ("ValidController", "valid")
    handler = controller.handlers["streamTokens"]
    assert (handler.http_method, handler.path, handler.prefix) == ("POST", "stream/{room}", "valid")
    assert (handler.title, handler.route) == ("ValidRPC.streamTokens", "valid/stream/{room}")
    assert (handler.segment, handler.force_api_root) == ("", None)
    assert handler.param_names == ("room",)
    assert handler.streams
    assert (handler.summary, handler.description) == ("Stream tokens", "Streams words back")
    assert list(handler.validation) == ["body", "query", "params", "iteration"]
    assert handler.validation["query"]["required"] == ["delay"]
    plain = schema.segments[""].controllers["HelloRPC"].handlers["streamTokens"]
    assert not plain.streams
    assert (plain.validation, plain.summary, plain.content_types) == ({}, "", ())


def test_metadata_of_0_1() -> None:
    schema = read_schema(METADATA)
    assert schema.wire_format == "divider"
    assert list(schema.segments[""].controllers) == ["HelloController", "PrefixedController"]
    hello = schema.segments[""].controllers["HelloController"]
    assert hello.handlers["streamTokens"].path == "hello-controller/stream-tokens"
    assert list(hello.handlers["streamTokens"].validation) == ["body"]
    assert hello.handlers["getGreeting"].param_names == ("id",)
    handler = schema.segments[""].controllers["PrefixedController"].handlers["getBy"]
    assert (handler.route, handler.param_names) == ("pre/fix/by/:a/:b", ("a", "b"))
    assert handler.wire_format == "divider"


def test_metadata_of_2() -> None:
    handler = {**LIST, "customMetadata": {"a": 1}, "clientValidators": "of their own making"}
    json = {
        "UserController": {"_controllerName": "UserController", "_handlers": {"list": handler}},
        "workers": {"W": {"_workerName": "W", "_handlers": {}}},
    }
    schema = read_schema(json)
    controller = schema.segments[""].controllers["UserController"]
    assert (controller.original_name, controller.prefix) == ("UserController", "")
    assert controller.handlers["list"].misc == {"a": 1}
    assert controller.handlers["list"].validation == {}


def test_the_answer_of_a_server() -> None:
    assert read_schema({"schema": ROOT}) == read_schema(ROOT)


def test_the_files_of_a_folder() -> None:
    admin = segment("admin/users", "UserRPC", forceApiRoot="/elsewhere", segmentType="mixin")
    meta = {**META, "config": {"rootEntry": "/rpc/"}}
    schema = read_files({"_meta.json": meta, "root.json": ROOT, "admin/users.json": admin})
    assert schema.root_entry == "rpc"
    assert list(schema.segments) == ["", "admin/users"]
    users = schema.segments["admin/users"]
    assert (users.type, users.force_api_root, users.emits_schema) == ("mixin", "/elsewhere", True)
    handler = users.controllers["UserRPC"].handlers["list"]
    assert (handler.segment, handler.force_api_root) == ("admin/users", "/elsewhere")
    assert read_files({"root.json": ROOT}) == read_schema(ROOT)


def test_all_in_one() -> None:
    json = {"meta": META, "segments": {"": ROOT, "admin": {"controllers": {}}}}
    assert list(read_schema(json).segments) == ["", "admin"]
    for meta in (None, {}, {"config": None}, {"config": {}}):
        assert read_schema({"meta": meta, "segments": {"": ROOT}}).root_entry == "api"
    assert read_schema({"segments": {"": ROOT}}).root_entry == "api"


def test_a_segment_that_does_not_tell() -> None:
    schema = read_schema({"schema": {"segmentName": "", "emitSchema": False}})
    assert not schema.segments[""].emits_schema
    assert schema.segments[""].controllers == {}


def test_one_controller() -> None:
    controller = read_controller(METADATA["HelloController"])
    assert controller.name == "HelloController"
    assert controller == read_schema(METADATA).segments[""].controllers["HelloController"]
    assert read_schema(METADATA["HelloController"]).wire_format == "divider"
    newer = read_schema(ROOT["controllers"]["HelloRPC"])
    assert newer == Schema(
        {"": Segment(controllers={"HelloRPC": read_controller(ROOT["controllers"]["HelloRPC"])})}
    )
    assert read_controller({"_handlers": {}}, name="Named").name == "Named"
    assert read_schema({"_handlers": {}}).wire_format == "divider"


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ([], r"^s\.json: a list, but it must be an object$"),
        (None, "missing or null, but it must be an object"),
        ({"openapi": "3.1.0"}, "an OpenAPI document, not a vovk-metadata.json"),
        (META, "no controllers in it: _meta.json needs the other"),
        ({}, "no controllers in it; this takes"),
        ({"workers": {}}, "no controllers in it; this takes"),
        ({"a": 1}, r"s\.json: a: no controller: it has no _handlers"),
        ({"a": {}}, r"s\.json: a: no controller"),
        ({"isError": True, "statusCode": 404}, "isError: no controller"),
        ({"a": {"_handlers": 1.5}}, r"a\._handlers: a number, but it must be an object"),
        ({"a": {"_handlers": {"b": None}}}, r"a\._handlers\.b: missing or null"),
        (
            {"a": {"_handlers": {"b": {"path": "p"}}}},
            r"a\._handlers\.b\.httpMethod: missing or null, but it must be text",
        ),
        ({"a": {"_handlers": {"b": {"httpMethod": "GET"}}}}, r"a\._handlers\.b\.path: missing"),
        ({"a": {"_handlers": {"b": {"httpMethod": "get x"}}}}, "'GET X' is not an HTTP method"),
        ({"a": {"_handlers": {}, "_prefix": True}}, r"a\._prefix: a boolean, but it must be text"),
        ({"controllers": {"A": {}}}, r"controllers\.A: no controller: it has neither"),
        ({"controllers": [1]}, r"controllers: a list"),
        ({"controllers": {}, "forceApiRoot": {}}, "forceApiRoot: an object, but it must be text"),
        ({"schema": "text"}, "schema: text, but it must be an object"),
        ({"segments": {"x": 1}}, r"segments\.x: a number, but it must be an object"),
        ({"segments": {}, "meta": 1}, "meta: a number"),
        ({"segments": {}, "meta": {"config": 1}}, r"meta\.config: a number"),
        (
            {"segments": {}, "meta": {"config": {"rootEntry": 1}}},
            r"meta\.config\.rootEntry: a number",
        ),
        (
            {"controllers": {"A": {"handlers": {"b": {**LIST, "validation": {"body": 1}}}}}},
            r"^s\.json: controllers\.A\.handlers\.b\.validation\.body: a number",
        ),
        (
            {"controllers": {"A": {"handlers": {"b": {**LIST, "validation": 1}}}}},
            r"handlers\.b\.validation: a number",
        ),
        (
            {"controllers": {"A": {"handlers": {"b": {**LIST, "operationObject": 1}}}}},
            r"handlers\.b\.operationObject: a number",
        ),
    ],
)
def test_a_bad_schema_is_told_where(json: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read_schema(json, "s.json")


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "no segment among the files"),
        ({"_meta.json": META}, "no segment among the files"),
        ({"a.json": {}}, "^a.json: no segment: it has no controllers"),
        ({"a.json": segment("x"), "b.json": segment("x")}, "^b.json: the segment 'x' is in a.json"),
        ({"_meta.json": []}, "^_meta.json: a list"),
    ],
)
def test_a_bad_folder_is_told_where(files: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read_files(files)


# ---- the model


@pytest.mark.parametrize(
    ("route", "parts"),
    [
        ("", [("", "")]),
        ("plain/path", [("plain/path", "")]),
        ("items/{id}/edit", [("items/", "id"), ("/edit", "")]),
        (":a/:b", [("", "a"), ("/", "b"), ("", "")]),
        ("v1:batch/file-{name}.json", [("v1:batch/file-", "name"), (".json", "")]),
    ],
)
def test_the_parts_of_a_route(route: str, parts: list[tuple[str, str]]) -> None:
    assert split_path(route) == parts


def test_what_a_handler_knows() -> None:
    handler = Handler("a", "GET", "/x/{id}/", prefix="/p/{id}/", operation={"summary": 1})
    assert (handler.title, handler.route) == ("a", "p/{id}/x/{id}")
    assert handler.param_names == ("id",)
    assert handler.summary == ""
    for declared, types in (
        ("Text/Plain", ("text/plain",)),
        (["multipart/form-data", 1], ("multipart/form-data",)),
        ([], ()),
    ):
        handler = Handler("a", "POST", "", validation={"body": {"x-contentType": declared}})
        assert handler.content_types == types


# ---- writing


def test_what_was_read_is_written() -> None:
    schema = read_files({"_meta.json": META, "root.json": ROOT})
    assert write_files(schema) == {"_meta.json": META, "root.json": ROOT}
    assert list(write_files(schema)["root.json"]) == list(ROOT)
    assert json.dumps(write_answer(schema.segments[""])) == json.dumps({"schema": ROOT})
    assert read_schema(write_schema(schema)) == schema


def test_metadata_that_was_read_is_written() -> None:
    assert write_metadata(read_schema(METADATA)) == METADATA


def test_one_generation_is_written_as_the_other() -> None:
    metadata = write_metadata(read_schema(ROOT))
    assert metadata["ValidRPC"]["_handlers"]["streamTokens"]["path"] == "stream/:room"
    assert metadata["ValidRPC"]["_prefix"] == "valid"
    written = write_segment(read_schema(METADATA).segments[""])
    by = written["controllers"]["PrefixedController"]["handlers"]["getBy"]
    assert by == {"path": "by/{a}/{b}", "httpMethod": "GET"}
    assert read_schema(written).wire_format == "jsonlines"


def test_segments_that_are_written() -> None:
    handler = Handler("list", "GET", "list", misc={"a": 1})
    controller = Controller("UserRPC", {"list": handler}, prefix="users")
    admin = Segment("admin", {"UserRPC": controller}, force_api_root="/x")
    schema = Schema({"": Segment(), "admin": admin})
    files = write_files(schema)
    assert list(files) == ["_meta.json", "root.json", "admin.json"]
    assert files["admin.json"]["forceApiRoot"] == "/x"
    written = files["admin.json"]["controllers"]["UserRPC"]
    assert written["originalControllerName"] == "UserRPC"
    assert written["handlers"]["list"] == {"misc": {"a": 1}, "path": "list", "httpMethod": "GET"}
    assert write_metadata(schema)["UserRPC"]["_prefix"] == "admin/users"
    silent = Segment("admin", {"UserRPC": controller}, emits_schema=False)
    assert write_segment(silent)["controllers"] == {}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("streamTokens", "stream-tokens"),
        ("getURLForXMLParser2", "get-url-for-xml-parser2"),
        ("list", "list"),
        ("URLFor", "url-for"),
        ("parser2Of", "parser2-of"),
    ],
)
def test_auto_paths(name: str, path: str) -> None:
    assert auto_path(name) == path
    assert auto_path(name, ["a", "b"]) == f"{path}/{{a}}/{{b}}"


def test_auto_paths_before_3() -> None:
    for handlers in METADATA.values():
        for name, handler in handlers["_handlers"].items():
            own = auto_path_before_3(handlers["controllerName"], name)
            explicit = name in ("getGreeting", "postItem", "getBy")
            assert (handler["path"] == own) is not explicit
    assert auto_path_before_3("StreamingController", "streamTokens") == (
        "streaming-controller/stream-tokens"
    )


# ---- names


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("streamTokens", "stream_tokens"),
        ("getURLForXMLParser2", "get_url_for_xml_parser2"),
        ("already_snake", "already_snake"),
        ("HelloRPC", "hello_rpc"),
        ("with-dash", "with_dash"),
        ("import", "import_"),
    ],
)
def test_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake


@pytest.mark.parametrize(
    ("name", "camel"),
    [
        ("stream_tokens", "streamTokens"),
        ("import_", "import"),
        ("a", "a"),
        ("_", "_"),
        ("__", "__"),
    ],
)
def test_camel_case(name: str, camel: str) -> None:
    assert camel_case(name) == camel


def test_a_name_of_the_schema_goes_before_an_alias() -> None:
    assert names_of(["getItem", "get_item"]) == {"getItem": "getItem", "get_item": "get_item"}
    ambiguous = ["getURL", "getUrl", "list"]
    assert names_of(ambiguous) == {name: name for name in ambiguous}
    assert names_of(["streamTokens"]) == {
        "streamTokens": "streamTokens",
        "stream_tokens": "streamTokens",
    }


def names(*segments: dict[str, Any]) -> Names:
    return Names(read_schema({"segments": {one["segmentName"]: one for one in segments}}))


def test_handlers_are_found_by_both_spellings() -> None:
    found = Names(read_schema(ROOT))
    for path in (("HelloRPC", "streamTokens"), ("hello_rpc", "stream_tokens")):
        assert found.find(path).title == "HelloRPC.streamTokens"
    spellings = "getAuto get_auto streamTokens stream_tokens unary"
    assert found.below(["ValidRPC"]) == spellings.split()
    assert found.below([]) == ["HelloRPC", "ValidRPC", "hello_rpc", "valid_rpc"]
    assert found.below(["HelloRPC", "empty"]) == found.below(["nobody"]) == []
    assert found.below(["HelloRPC", "empty", "more"]) == []


def test_controllers_of_segments() -> None:
    found = names(segment("my-admin/of", "UserRPC", "OnlyRPC"), segment("", "UserRPC"))
    assert found.find(["UserRPC", "list"]).segment == ""
    assert found.find(["my-admin", "of", "UserRPC", "list"]).segment == "my-admin/of"
    assert found.find(["my_admin", "of", "OnlyRPC", "list"]).segment == "my-admin/of"
    assert found.find(["OnlyRPC", "list"]).segment == "my-admin/of"


def test_a_controller_in_several_segments_has_no_plain_name() -> None:
    found = names(segment("a", "UserRPC"), segment("b", "UserRPC"))
    with pytest.raises(UsageError, match="the schema has no 'UserRPC'; there are: a, b"):
        found.find(["UserRPC", "list"])


def test_a_segment_named_like_a_controller() -> None:
    found = names(segment("", "admin"), segment("admin", "UserRPC"))
    assert found.below(["admin"]) == ["UserRPC", "list", "user_rpc"]
    assert found.find(["admin", "list"]).segment == ""
    found = names(segment("", "admin"), segment("admin", "list"))
    assert found.find(["admin", "list", "list"]).segment == "admin"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (["HelloRPC", "streamToken"], "no 'streamToken' in HelloRPC; did you mean 'streamTokens'"),
        (["helloRPC", "empty"], "no 'helloRPC'; did you mean 'HelloRPC'"),
        (["Nobody"], "no 'Nobody'; there are: HelloRPC, ValidRPC"),
        (["ValidRPC"], "ValidRPC is not a method; it contains: streamTokens, getAuto, unary"),
        ([], "the API is not a method; it contains: HelloRPC, ValidRPC"),
        (["ValidRPC", "unary", "x"], "ValidRPC.unary is a method, so it has no members"),
    ],
)
def test_what_is_not_there_is_told(path: list[str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Names(read_schema(ROOT)).find(path)
