"""The public names: what a user may rely on, no more and no less."""

from __future__ import annotations

import inspect

import kkjupyter
from kkjupyter import errors

FUNCTIONS = {
    *{"connect", "aconnect", "close", "get", "set", "aset", "new", "call"},
    *{"show", "compare", "serve", "status", "demo", "context", "view"},
    *{"trace", "tracing", "expose", "chunks"},
}
CLASSES = {"ClientLimits", "ServerLimits", "View"}
VALUES = {*{"undefined", "BigInt", "Boxed", "Date", "Map", "RegExp", "URL"}, "Uint8ClampedArray"}
ROOMS = {"vovk"}
ERRORS = {
    *{"KKError", "ConnectError", "ConnectTimeout", "ConnectionLost", "ProtocolError"},
    *{"MessageTooBig", "CallError", "RemoteError", "RemoteThrow", "CallTimeout"},
    *{"CallCancelled", "ValidationError", "EncodeError", "BufferOverflow", "UsageError"},
}


def test_the_public_names() -> None:
    assert set(kkjupyter.__all__) == FUNCTIONS | CLASSES | VALUES | ROOMS | ERRORS
    assert len(kkjupyter.__all__) == len(set(kkjupyter.__all__))


def test_each_public_name_is_there_and_explained() -> None:
    for name in FUNCTIONS | CLASSES:
        function = getattr(kkjupyter, name)
        assert callable(function), name
        assert inspect.getdoc(function), f"kkjupyter.{name} has no docstring"
    for name in VALUES | ROOMS:
        assert hasattr(kkjupyter, name), name


def test_every_error_is_public_and_a_kkerror() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and value.__module__ == errors.__name__
    }
    assert defined == ERRORS
    for name in ERRORS:
        assert issubclass(getattr(kkjupyter, name), kkjupyter.KKError)
