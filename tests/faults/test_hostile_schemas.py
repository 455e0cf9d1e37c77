"""A schema is the server's: whatever it says, reading, showing and checking with it end soon."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.vovk.client.handler_docs import group_doc, handler_doc, handler_signature
from kkjupyter.vovk.client.json_schema.library import load_library
from kkjupyter.vovk.client.json_schema.validation import HandlerChecks
from kkjupyter.wire.vovk.schema.model import Handler

# Half a second of computing is allowed for; the machine may be busy with something else.
LIMIT_S = 3.0


def nested(levels: int, wrap: Any, inmost: Any) -> Any:
    for _ in range(levels):
        inmost = wrap(inmost)
    return inmost


_LEAF: dict[str, Any] = {"type": "string"}
SCHEMAS: dict[str, Any] = {
    "480 types in each other": {"type": nested(480, lambda one: [one], "string")},
    "types times types": nested(
        6, lambda one: {"type": ["array"] * 40, "items": one}, {"type": ["array"] * 40}
    ),
    "480 arrays in each other": nested(480, lambda one: {"type": "array", "items": one}, _LEAF),
    "120 references to itself": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 120}},
    },
    "120 fields of itself": {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"properties": {f"p{at}": {"$ref": "#/$defs/a"} for at in range(120)}}},
    },
    "2**40 ways": {
        "$ref": "#/$defs/a0",
        "$defs": {
            **{f"a{at}": {"allOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(40)},
            "a40": {},
        },
    },
    "what is unevaluated, 2**40 ways": {
        "$ref": "#/$defs/a0",
        "unevaluatedProperties": False,
        "$defs": {
            **{f"a{at}": {"allOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(40)},
            "a40": {"properties": {"v": True, "w": True}},
        },
    },
    "a reference to itself": {"$ref": "#"},
    "a pattern that never ends": {"properties": {"v": {"pattern": "^(a+)+$"}}},
    "one in a schema of another version": {
        "properties": {
            "v": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a+)+$"}
        }
    },
    "one for names": {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
    "one for what is named": {"propertyNames": {"pattern": "(x+x+)+y"}},
    "one with assertions": {"properties": {"v": {"pattern": r"^(?=(.*a){30}).*(.*a){30}b$"}}},
    "unique items": {"properties": {"w": {"uniqueItems": True}}},
    "many choices": {"properties": {"w": {"items": {"enum": [{"a": at} for at in range(3_000)]}}}},
    "a list of required names that are none": {"required": [{"a": at} for at in range(4_000)]},
    "an endless constant": {"const": nested(300, lambda one: [one], 1)},
}
BODY = {"v": "a" * 60 + "!", "a" * 60 + "!": 1, "w": [{"a": at} for at in range(3_000)]}


def handler_of(schema: Any) -> Handler:
    parts: Any = {"body": schema, "output": schema}
    return Handler("act", "POST", "p", controller="C", validation=parts)


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    load_library()


@contextmanager
def soon() -> Iterator[None]:
    begun_s = time.thread_time()
    yield
    took_s = time.thread_time() - begun_s
    assert took_s < LIMIT_S, f"{took_s:.1f} s"


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_hostile_schema_is_shown_and_checked_soon(schema: Any) -> None:
    handler = handler_of(schema)
    with soon():
        assert len(str(handler_signature(handler))) < 100_000
        assert len(handler_doc(handler)) < 100_000
        group_doc("api", [("C.act", handler)])
    with soon(), suppress(kk.ValidationError, kk.UsageError):  # a named error of ours, or none
        HandlerChecks(handler, limit_s=LIMIT_S / 10).check(body=BODY)


def test_what_takes_too_long_is_left_to_the_server_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checks = HandlerChecks(handler_of(SCHEMAS["2**40 ways"]), limit_s=0.05)
    for _ in range(2):
        checks.check(body=BODY)
    (record,) = caplog.records
    assert record.getMessage() == "body of C.act is not checked here: it takes too long"


class Act(vovk.Controller, prefix=""):
    @vovk.post("act")
    def act(self) -> dict[str, bool]:
        return {"done": True}


def test_a_client_of_a_hostile_server() -> None:
    """As a user has it: connecting, ``?``, and a call."""
    names = ("120 references to itself", "a pattern that never ends", "a reference to itself")
    handlers = {
        f"act{at}": {"httpMethod": "POST", "path": "act", "validation": {"body": SCHEMAS[name]}}
        for at, name in enumerate(names)
    }
    metadata = {"segments": {"": {"segmentName": "", "controllers": {"C": {"handlers": handlers}}}}}
    with vovk.serve([Act], token=False) as server:
        api: Any = server.connect(schema=metadata)
        for name in handlers:
            method = getattr(api.C, name)
            with soon(), suppress(kk.ValidationError, kk.UsageError):
                inspect.signature(method)
                assert method.__doc__
                assert method(body=BODY).result(30) == {"done": True}
        kk.close(api)
