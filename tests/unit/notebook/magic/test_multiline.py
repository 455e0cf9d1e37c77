"""``%rpc api.f(`` over several lines."""

from __future__ import annotations

import ast
from types import SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from kkjupyter.notebook.magic.multiline import install, uninstall


@pytest.fixture
def manager() -> TransformerManager:
    manager = TransformerManager()
    install(SimpleNamespace(input_transformer_manager=manager))
    return manager


def magics(code: str) -> list[str]:
    """The lines that ``%rpc`` is called with, in transformed code."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [
        call.args[1].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "run_line_magic"
        and isinstance(call.args[1], ast.Constant)
    ]


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        ("%rpc api.f(\n  1,\n)\n", ["api.f(\n  1,\n)"]),
        ("%rpc api.f(\n  1,  # one ) of them\n  '(',\n) --view json\n",
         ["api.f(\n  1,  # one ) of them\n  '(',\n) --view json"]),
        ("r = %rpc api.f([\n1\n])\nr", ["api.f([\n1\n])"]),
        ("x = 1\n%rpc api.f(\n1)\n%rpc api.g(\n2)\n%rpc api.h(3)\n",
         ["api.f(\n1)", "api.g(\n2)", "api.h(3)"]),
        ("def f():\n    %rpc api.f(\n  1)\n    return 2\n", ["api.f(\n  1)"]),
        ('%rpc api.f("""a\nb""")\n', ['api.f("""a\nb""")']),
        ("%rpc api.f(1)\ny = (1,\n2)\n", ["api.f(1)"]),
        ("%rpc api.f(1) --header 'don\"t ('\ny = 1\n", ["api.f(1) --header 'don\"t ('"]),
        ("%rpc connect ws://h:1/( as api\n%rpc status\n", ["connect ws://h:1/( as api", "status"]),
        ("%rpc api.f( \\\n  1)\n", ["api.f( \\\n  1)"]),
        ("%timeit (1,\n2)\n", None),
        ('text = """\n%rpc api.f(\n1)\n"""\n', []),
        ("z = 5 %rpc (\n1)\n", []),
    ],
)  # fmt: skip
def test_a_call_ends_where_its_brackets_do(
    manager: TransformerManager, cell: str, lines: list[str] | None
) -> None:
    code = manager.transform_cell(cell)
    if lines is None:
        assert code == TransformerManager().transform_cell(cell)
    else:
        found = magics(code)
        assert [" ".join(line.split()) for line in found] == [" ".join(x.split()) for x in lines]
        assert not lines or "\n" not in lines[0] or found[0] == lines[0]


def test_what_follows_keeps_its_line_number(manager: TransformerManager) -> None:
    code = manager.transform_cell("%rpc api.f(\n  1,\n)\n1/0\n")
    assert code.splitlines()[3] == "1/0"


def test_brackets_that_are_not_closed_are_left_to_the_magic(manager: TransformerManager) -> None:
    code = manager.transform_cell("%rpc api.f(\nx = 1\n")
    assert code.splitlines()[0] == "get_ipython().run_line_magic('rpc', 'api.f(')"


def test_it_can_be_taken_out(manager: TransformerManager) -> None:
    shell = SimpleNamespace(input_transformer_manager=manager)
    uninstall(shell)
    uninstall(shell)
    cell = "%rpc api.f(\n  1,\n)\n"
    assert manager.transform_cell(cell) == TransformerManager().transform_cell(cell)
