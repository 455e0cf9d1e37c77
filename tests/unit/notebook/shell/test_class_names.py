"""Classes that a shell is told of by name."""

from __future__ import annotations

import pkgutil

import pytest

from kkjupyter.errors import UsageError
from kkjupyter.notebook.shell.class_names import OUTCOMES, REMOTE, TRACE, WATCHED, is_one
from kkjupyter.notebook.show.compare import Replies


@pytest.mark.parametrize("name", [REMOTE, TRACE, *WATCHED, *OUTCOMES])
def test_each_name_is_that_of_a_class_where_it_is_defined(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    kind = pkgutil.resolve_name(f"{module}:{attribute}")
    assert isinstance(kind, type)
    assert f"{kind.__module__}.{kind.__qualname__}" == name


def test_a_value_is_one_by_its_class_or_what_that_derives_from() -> None:
    class OfTheUsers(Replies):
        pass

    assert is_one(Replies(), OUTCOMES)
    assert is_one(OfTheUsers(), OUTCOMES)
    assert not is_one(Replies(), WATCHED)
    for other in (None, 1, {}, Replies, UsageError("x"), "kkjupyter.calls.call.Call"):
        assert not is_one(other, (*WATCHED, *OUTCOMES))
