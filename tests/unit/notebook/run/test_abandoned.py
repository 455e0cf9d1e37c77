"""What streams run in a shell that ends says nothing of what that end does to them."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import atexit, time
atexit.register(time.sleep, 1.0)  # exit handlers run in reverse order: after all the others
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_cell('''
%load_ext kkjupyter
import time
def words():
    yield "a word "
    while True:
        time.sleep(0.01)
''')
shell.run_cell("%rpc words() --background")
time.sleep(0.5)
shell.run_cell("%rpc status")
"""


def test_a_shell_that_ends_says_nothing_of_errors_that_its_end_makes() -> None:
    """IPython empties the namespace at the end, under the feet of what still runs."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert "words()" in done.stdout  # in the status
    assert "NameError" not in done.stdout + done.stderr
