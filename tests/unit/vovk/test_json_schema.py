"""A call's input against the JSON Schemas of its handler."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kkjupyter.errors import EncodeError, UsageError, ValidationError
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.vovk.client.json_schema.validation import HandlerChecks
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.schema.model import Handler, WireFormat


def checks(wire_format: WireFormat = "jsonlines", **validation: Any) -> HandlerChecks:
    return HandlerChecks(
        Handler("act", "POST", "p", controller="C", wire_format=wire_format, validation=validation)
    )


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


WORDS = thing(words={"type": "array", "items": {"type": "string", "maxLength": 10}})


def issues(checked: HandlerChecks, **call: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        checked.check(**call)
    assert caught.value.method == "C.act"
    return {issue["path"]: issue["message"] for issue in caught.value.issues}


def test_what_fits_passes() -> None:
    checked = checks(body=WORDS, query=thing(delay={"type": "string"}))
    for words in ([], ["a"], ("a", "b")):
        checked.check(body={"words": words}, query={"delay": "5"})
    checks().check(body={1}, query={"any": "thing"}, params={"at": "all"})


def test_the_path_of_each_fault() -> None:
    found = issues(checks(body=WORDS), body={"words": ["a", "toolongforten", 3]})
    assert found == {
        "body.words.1": "'toolongforten' is too long",
        "body.words.2": "3 is not of type 'string'",
    }
    assert issues(checks(body=WORDS), body={}) == {"body": "'words' is a required property"}
    with pytest.raises(ValidationError, match=r"^C\.act: body: \[\] is not of type 'object'$"):
        checks(body=WORDS).check(body=[])


def test_of_alternatives_the_nearest_is_told() -> None:
    either = {"anyOf": [thing(a={"type": "integer"}), thing(b={"type": "string"})]}
    assert list(issues(checks(body=either), body={"a": "x"})) == ["body.a"]


def test_a_body_that_is_missing() -> None:
    for nothing in (None, undefined):
        assert issues(checks(body=WORDS), body=nothing) == {"body": "is missing"}
        checks(body={}).check(body=nothing)
        checks(body={"type": ["object", "null"]}).check(body=nothing)


def test_a_body_that_is_no_json_is_not_judged() -> None:
    for raw in (b"x", bytearray(b"x"), memoryview(b"x")):
        checks(body=WORDS).check(body=raw)


def test_missing_query_and_params() -> None:
    checked = checks(query=thing(q={}), params=thing(id={}))
    assert issues(checked) == {
        "query": "'q' is a required property",
        "params": "'id' is a required property",
    }


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "pattern": r"^\d+$"}, [5, "5"], ["x", 0.5, True, [], "٣x"]),
        ({"type": "integer"}, [5, "5"], ["x", "5.5", "[1]", 0.5, "é"]),
        ({"type": "boolean"}, [True, "true"], ["yes", 1]),
        ({"enum": ["1", "2"]}, [1, "2"], [3, "3"]),
        ({"const": 1}, [1, "1"], ["2", None]),
    ],
)
def test_in_a_url_text_and_number_are_the_same(
    schema: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    checked = checks(query=thing(o=thing(q=schema)), params=thing(q=schema), body=thing(q=schema))
    for value in good:
        given = {"q": value}
        assert checked.faults("query", {"o": given}) == checked.faults("params", given) == []
        assert given == {"q": value}
    for value in bad:
        assert [issue["path"] for issue in checked.faults("params", {"q": value})] == ["params.q"]
    spelled = [value for value in good if checked.faults("body", {"q": value})]
    assert len(spelled) == 1  # in a body they are not


def test_what_has_no_json_form() -> None:
    with pytest.raises(EncodeError) as caught:
        checks(body=WORDS).check(body={"words": {1}})
    assert (caught.value.path, caught.value.method) == ("body.words", "C.act")


def test_items_can_be_checked() -> None:
    checked = checks(iteration={"type": "string"})
    assert checked.faults("iteration", "a") == checked.faults("output", 1) == []
    assert checked.faults("iteration", 1) == [
        {"path": "iteration", "message": "1 is not of type 'string'"}
    ]


def test_long_messages_and_many_faults_are_cut() -> None:
    found = issues(checks(body={"items": {"type": "string"}}), body=list(range(50)))
    assert len(found) == 20
    (message,) = issues(checks(body={"type": "string"}), body=["x" * 10_000]).values()
    assert len(message) < 210
    assert message.endswith("is not of type 'string'")


def test_a_pattern_only_javascript_understands_is_left_to_the_server() -> None:
    pattern = {"type": "string", "pattern": r"^\p{L}+$"}
    checks(body=pattern).check(body="é")
    both = thing(a={"type": "integer"}, b=pattern)
    assert "body.a" in issues(checks(body=both), body={"a": "x", "b": "é"})


def test_older_drafts() -> None:
    draft = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}
    assert issues(checks(body=draft), body=[1]) == {"body.0": "1 is not of type 'string'"}


_DRAFT_03 = "http://json-schema.org/draft-03/schema#"
_DRAFT_04 = "http://json-schema.org/draft-04/schema#"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (
            {"type": "strange"},
            r"^validation\.body\.type of C\.act is not a JSON Schema: 'strange'",
        ),
        (thing(a={"maxLength": "x"}), r"validation\.body\.properties\.a\.maxLength of"),
        ({"$ref": "#/nowhere"}, r"validation\.body of C\.act .*nowhere.* is not in it"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, r"x\.json.* is not in it"),
        ({"$ref": "#"}, "nested too deeply"),
        ({"$schema": ["x"]}, r"validation\.body\.\$schema of C\.act .*text is required"),
        ({"$schema": "https://["}, r"validation\.body of C\.act .*Invalid IPv6 URL"),
        ({"$id": "https://[", "$ref": "#a"}, r"validation\.body of C\.act .*Invalid IPv6 URL"),
        ({"$schema": _DRAFT_04, "$ref": 5}, r"validation\.body of C\.act .*cannot follow it"),
        ({"$schema": _DRAFT_03, "disallow": "odd"}, r"validation\.body of C\.act .*Unknown type"),
    ],
)
def test_a_schema_that_is_none(schema: dict[str, Any], text: str) -> None:
    checked = checks(body=schema)
    for _ in range(2):
        with pytest.raises(UsageError, match=text) as caught:
            checked.check(body={})
        assert "validate=False" in str(caught.value)


def test_a_schema_without_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"not": deep}
    with pytest.raises(UsageError, match="nested too deeply"):
        checks(body=deep).check(body={})


@pytest.mark.parametrize("schema", [{"type": "strange"}, {"$schema": "https://["}])
def test_client_validators_that_are_no_schema_are_ignored(schema: dict[str, Any]) -> None:
    checks("divider", body=schema).check(body={})


def test_the_library_is_imported_only_when_used() -> None:
    code = (
        "import sys, kkjupyter.vovk.client.json_schema.validation as j\n"
        "import kkjupyter.wire.vovk.schema.model as s\n"
        "checks = j.HandlerChecks(s.Handler('a', 'GET', 'p'))\n"
        "checks.check(body={}, query={'a': 1})\n"
        "assert 'jsonschema' not in sys.modules and 'referencing' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_import_of_the_library_takes_no_time_from_the_first_check() -> None:
    code = (
        "import sys, kkjupyter.vovk.client.json_schema.validation as j\n"
        "import kkjupyter.wire.vovk.schema.model as s\n"
        "assert 'jsonschema' not in sys.modules\n"
        "handler = s.Handler('a', 'POST', 'p', validation={'body': {'type': 'string'}})\n"
        "assert j.HandlerChecks(handler, limit_s=0.05).faults('body', 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_library_can_be_loaded_beforehand() -> None:
    load_library()
    assert "jsonschema.validators" in sys.modules


@pytest.mark.parametrize(
    ("items", "is_unique"),
    [
        ([1, 1.0], False),
        ([1, True, "1", None, [1], {"a": 1}], True),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([{"a": 1}, {"a": 2}], True),
        ([[1, 2], [2, 1]], True),
        ([0, False, 0.5, "0.5"], True),
        (["a", "a"], False),
    ],
)
def test_unique_items_are_what_json_schema_takes_for_unique(
    items: list[Any], is_unique: bool
) -> None:
    assert (not checks(body={"uniqueItems": True}).faults("body", items)) is is_unique


def test_what_a_pattern_fits_is_not_additional() -> None:
    schema = {"properties": {"a": {}}, "patternProperties": {"^x-": {"type": "integer"}}}
    closed = checks(body={**schema, "additionalProperties": False})
    closed.check(body={"a": 1, "x-b": 2})
    assert list(issues(closed, body={"x-b": "no", "c": 1})) == ["body.x-b", "body"]
    typed = checks(body={**schema, "additionalProperties": {"type": "string"}})
    assert list(issues(typed, body={"x-b": 1, "c": 1, "d": "ok"})) == ["body.c"]


def test_a_pattern_of_javascript_s_own_is_left_to_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checked = checks(body=thing(a={"pattern": r"^\p{L}+$"}, b={"type": "string"}))
    for _ in range(2):
        checked.check(body={"a": "1", "b": "x"})
    (record,) = caplog.records
    assert "works only in JavaScript" in record.getMessage()
