"""Nothing that a peer says is obeyed by a terminal: not in errors, logs, traces, saved notebooks.

What is said writes the clipboard (OSC 52), sets the title (OSC 0 and 2), clears the screen, asks
the terminal questions (DCS), overwrites a line, reads backwards, forges a line of the log.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HOSTILE = (
    "HERE\x1b]52;c;cHduZWQ=\x07\x1b]0;title\x1b\\\x1b]2;title\x07\x1b[2J\x1b[8m\x1b[6n\x1bP$q\x1b\\"
    "\x9b2J\x9d0;t\x9c\x08\x08\r\x7f\x00\u202eTHERE\u2066\ud83d"
)
SETUP = f"""
import asyncio, logging, sys
import kkjupyter as kk

HOSTILE = {HOSTILE!r}

class Api:
    def fail(self, text):
        raise type("E" + text, (Exception,), {{}})(text)

    def caused(self, text):
        raise ValueError(text) from KeyError(text)

    def thrown(self, text):
        raise kk.RemoteThrow(text, text)

    async def items(self, text):
        yield text
        raise kk.RemoteError(text, name=text, stack="Error: " + text + "\\n  at " + text)

server = kk.serve(Api(), debug=True)
api = server.connect()
"""
# Beside what is escaped, as in a repr: what a terminal obeys, and what reads backwards.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def harmless(text: str) -> None:
    found = OBEYED.search(text)
    assert not found, f"{found[0]!r} in {text[max(0, found.start() - 60) : found.end() + 20]!r}"


def test_a_program_that_knows_nothing_of_it(tmp_path: Path) -> None:
    """Nobody set up logging, and nobody caught the error: all is on stderr."""
    code = f"""{SETUP}
failures = []
for name in ("fail", "caused", "thrown"):
    try:
        getattr(api, name)(HOSTILE).result()
    except kk.RemoteError as error:
        error.add_note("a note")
        failures.append(error)
api.fail("\\nERROR forged: " + HOSTILE).cancel()
api["items" + HOSTILE]("x")  # nobody looks: the log says so
print(repr(failures), *failures, kk.status(), sep="\\n")
with kk.tracing():
    try:
        list(api.items(HOSTILE))
    except kk.RemoteError as error:
        failures.append(error)
print(kk.trace())
raise ExceptionGroup("all", failures)
"""
    script = tmp_path / "program.py"
    script.write_text(code, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:surrogatepass"},
        timeout=60,
    )
    said = (ended.stdout + ended.stderr).decode("utf-8", "surrogatepass")
    assert said.count("HERE") > 10
    assert "ExceptionGroup" in said
    assert "fail failed" in said  # the log
    harmless(said)


def test_a_saved_notebook(tmp_path: Path) -> None:
    cells = [
        f"%load_ext kkjupyter\n{SETUP}",
        "api.fail(HOSTILE).result()",
        "await api.caused(HOSTILE)",
        "api.thrown(HOSTILE).result()",
        "%rpc api.items(HOSTILE)",
        "api.items(HOSTILE)",
        "raise ExceptionGroup('all', [kk.RemoteError(HOSTILE, name=HOSTILE)])",
        "%rpc status",
        "%rpc trace last",
        "%rpc show 99",
        "api[HOSTILE](1).result()",
        "print(kk.RemoteError(HOSTILE, name=HOSTILE))\nraise kk.UsageError(HOSTILE)",
        "kk.close(api)\nserver.close()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", allow_errors=True, resources={}
    ).execute(cwd=str(tmp_path))
    errors = 0
    for cell in notebook.cells:
        for output in cell.outputs:
            errors += output.output_type == "error"
            for text in _texts(output):
                # IPython's own colours stay; whatever a peer sent of them does not ("\x1b[8m").
                assert "\x1b[8m" not in text
                bare = COLOUR.sub("", text)
                # A value has its own direction: Hebrew and Arabic are written so.
                is_value = output.output_type in ("display_data", "execute_result")
                harmless(DIRECTIONS.sub("", bare) if is_value else bare)
                assert not output.get("evalue") or not COLOUR.search(output["evalue"])
    assert errors >= 7
    assert "HERE" in json.dumps(notebook)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return []
