"""The library for JSON Schemas, imported without a grammar that takes seconds; nobody lacks it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from textwrap import dedent


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_grammar_is_not_built() -> None:
    output = _run("""
        import sys
        from kkjupyter.vovk.client.json_schema.library import load_library
        load_library()
        load_library()
        print("jsonschema" in sys.modules, "lark" in sys.modules, "rfc3987_syntax" in sys.modules)
    """)
    assert output.split() == ["True", "False", "False"]


if importlib.util.find_spec("rfc3987_syntax"):  # comes with JupyterLab, not with us

    def test_whoever_checks_that_format_has_it() -> None:
        output = _run("""
            from kkjupyter.vovk.client.json_schema.library import load_library
            load_library()
            import jsonschema, rfc3987_syntax
            check = jsonschema.Draft202012Validator(
                {"format": "iri"}, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            )
            print(check.is_valid("https://example.org/é"), check.is_valid("not an iri"))
            print(rfc3987_syntax.__file__ is not None, rfc3987_syntax.is_valid_syntax("iri", "a:b"))
        """)
        assert output.split() == ["True", "False", "True", "True"]

    def test_other_names_of_the_module_are_its_own() -> None:
        output = _run("""
            import sys
            from kkjupyter.vovk.client.json_schema import library
            with library._grammar_later():
                from rfc3987_syntax import is_valid_syntax
                before = "lark" in sys.modules
                from rfc3987_syntax import is_valid_syntax_iri
            import rfc3987_syntax
            print(before, is_valid_syntax_iri is rfc3987_syntax.is_valid_syntax_iri)
            print(is_valid_syntax("iri", "a:b"))
        """)
        assert output.split() == ["False", "True", "True"]
