"""Run the project's checks in order, say how long each took, and sum up in one line.

    python tools/check.py                 everything (what `make test` does)
    python tools/check.py ruff browser    these only, after the set-up they need

What a step needs stands in the table here, and nowhere else; make knows only of environments.

A step that fails ends only the steps that need it: they fail at their place, and say why. So one
run shows everything that is wrong, and a machine without a browser still runs all other checks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import chromium
import figures
import setup_machine as machine

ROOT = Path(__file__).resolve().parent.parent
PY = sys.executable
FRONT_END = "labextension"
# For suites of thousands of short tests, and for those whose modules share what takes time to make.
# The peers' tests run one at a time: they use both cores as it is.
WORKERS = ("--numprocesses=2", "--dist=worksteal")
FILE_WORKERS = ("--numprocesses=2", "--dist=loadfile")
# Tests that wait for kernels and pages half of their time: three keep two cores at work.
WAITING_WORKERS = ("--numprocesses=3", "--dist=worksteal")
WAITING_FILE_WORKERS = ("--numprocesses=3", "--dist=loadfile")
# What the steps "fast" and "newer" run of the two: the wire room without its real peers.
UNIT_TESTS = ("tests/unit", "tests/wire", "--ignore=tests/wire/peers")


class StepFailed(Exception):
    """A step did not pass; the text says in a line why."""


@dataclass(frozen=True)
class Step:
    """One named check, or one piece of set-up.

    ``path`` is what the step works on: without it the step is absent, which is a failure, too.
    ``needs`` names the steps without which it cannot run.
    """

    name: str
    run: Callable[[], None]
    path: str = "."
    needs: tuple[str, ...] = ()


def command(*argv: str, cwd: str = ".") -> None:
    """Run a program with its output shown; raise StepFailed if it fails."""
    code = subprocess.run(argv, cwd=ROOT / cwd, check=False).returncode
    if code:
        raise StepFailed(f"{Path(argv[0]).name} ended with exit code {code}")


def pytest(*args: str, marked: str = "not matrix and not rtc", python: Path = Path(PY)) -> None:
    # The console script's directory is not the repository: the tests see the installed package.
    command(str(python.with_name("pytest")), "--fail-on-skip", "-m", marked, *args)


def npm(*args: str, cwd: str) -> None:
    command(machine.npm(), *args, cwd=cwd)


def build_front_end() -> None:
    npm("run", "build", cwd=FRONT_END)


def compare_front_end() -> None:
    """Fail unless what was just built is what is committed."""
    built = ["kkjupyter/static", "kkjupyter/labextension"]
    git = ["git", "status", "--porcelain", "--", *built]
    changed = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    if changed:
        print(changed, end="")
        raise StepFailed(f"{' or '.join(built)} is not what labextension builds: commit the build")


def install_package() -> None:
    command(
        *(PY, "-m", "pip", "install", "-qq", "--no-deps", "--no-build-isolation"),
        *("--force-reinstall", "."),
    )


def ruff() -> None:
    executable = str(Path(PY).with_name("ruff"))
    command(executable, "check")
    command(executable, "format", "--check")


def site() -> None:
    """Build the pages of docs/ into .artifacts/site; a warning is a failure."""
    command(PY, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "docs", ".artifacts/site")


def docs() -> None:
    """The site, its links, and the examples of its pages."""
    site()
    pytest("tests/docs", "--timeout=180", *WORKERS)


def pictures() -> None:
    """Take the pictures of README and docs anew."""
    pytest("tests/browser/test_pictures.py", "--timeout=180", marked="matrix")
    for path in (ROOT / "docs/pictures").glob("*.png"):
        shutil.copy(ROOT / ".artifacts/pictures" / path.name, path)


def wire_tests() -> None:
    """The wire room's own tests; together they must reach every branch of it."""
    pytest("tests/wire", *WORKERS, "--cov=kkjupyter.wire", "--cov-branch", "--cov-report=")
    command(PY, "-m", "coverage", "report", "--include=*/kkjupyter/wire/*", "--fail-under=100")


def newer_python_tests(*options: str, marked: str = "not slow and not matrix") -> None:
    """Unit, wire and contract tests once more on the newest Python of this machine: the quick ones,
    or those that are ``marked``."""
    newest = machine.newest_python()
    if newest is None:
        print(f"no Python newer than {sys.version_info.major}.{sys.version_info.minor} found here")
        return
    python = machine.make_newer_venv(newest)
    version = subprocess.run([str(python), "--version"], check=True, capture_output=True, text=True)
    print(f"on {version.stdout.strip()}")
    failed: list[str] = []
    for paths in (UNIT_TESTS, ("tests/contract",)):
        try:
            pytest(*paths, *WORKERS, *options, marked=marked, python=python)
        except StepFailed as exc:
            failed.append(f"{paths[0]}: {exc}")
    if failed:
        raise StepFailed("; ".join(failed))


def client_tests() -> None:
    """The chunks of LLM clients as objects of their own classes, in a venv of their own."""
    pytest("tests/clients", "--timeout=120", python=machine.make_clients_venv())


def lab_tests(version: str) -> None:
    """The chosen browser tests in an older JupyterLab and in the Notebook that goes with it."""
    python = machine.make_lab_venv(version)
    pytest(
        *("tests/browser", f"--jupyter={python}", "--timeout=180", *WAITING_FILE_WORKERS),
        marked="labs and not matrix",
    )


def rtc_tests() -> None:
    """Two people in one notebook."""
    python = machine.make_rtc_venv()
    pytest("tests/browser/test_rtc.py", f"--jupyter={python}", "--timeout=180", marked="rtc")


def no_test_forgotten() -> None:
    """Fail if a test belongs to no step, and would silently never run."""
    known = {step.path for step in (*STEPS, *MATRIX_STEPS)}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        # Its folder below tests/, or the file itself, if it lies there.
        place = f"tests/{path.relative_to(ROOT / 'tests').parts[0]}"
        if place not in known:
            raise StepFailed(f"tools/check.py has no step for {place}")
        if "mark.matrix" in path.read_text() and place not in MATRIX_TESTS:
            raise StepFailed(f"{path.name} has tests for the matrix, but {place} is not in it")


def tests(
    name: str, *options: str, needs: tuple[str, ...] = (), workers: tuple[str, ...] = ()
) -> Step:
    path = f"tests/{name}"
    return Step(name, lambda: pytest(path, *workers, *options), path, ("install", *needs))


def npm_ci(name: str, path: str) -> Step:
    needs = ("node",)
    lock = f"{path}/package-lock.json"
    return Step(name, lambda: machine.npm_ci(ROOT / path), lock, needs)


# What `make test` runs, in this order.
STEPS = (
    Step("node", machine.setup_node),
    npm_ci("npm-frontend", FRONT_END),
    Step("build", build_front_end, f"{FRONT_END}/package.json", ("npm-frontend",)),
    Step("committed-build", compare_front_end, "kkjupyter/static", ("build",)),
    Step("install", install_package),
    Step("chromium", chromium.setup),
    Step("kernels", lambda: command(PY, "tests/support/kernels/versions.py")),
    npm_ci("npm-wire", "tests/wire/peers/superjson"),
    npm_ci("npm-peers", "tests/peers/node"),
    npm_ci("npm-vovk-new", "tests/peers/vovk_new"),
    npm_ci("npm-vovk-old", "tests/peers/vovk_old"),
    Step(
        "vovk-servers",
        lambda: command(PY, "tests/support/vovk/apps.py"),
        "tests/support/vovk/apps.py",
        ("npm-peers", "npm-vovk-new", "npm-vovk-old"),
    ),
    Step("no-test-forgotten", no_test_forgotten),
    Step("ruff", ruff),
    Step("mypy", lambda: command(PY, "-m", "mypy"), needs=("install",)),
    Step("tsc", lambda: npm("run", "check", cwd=FRONT_END), FRONT_END, ("npm-frontend",)),
    Step("vitest", lambda: npm("test", cwd=FRONT_END), FRONT_END, ("npm-frontend",)),
    tests("unit", workers=WORKERS),
    tests("contract", workers=WORKERS),
    tests("guides", workers=WORKERS),
    # What goes wrong on purpose, and what strangers try. Some take all of a machine.
    tests("strangers"),
    tests("faults", "--timeout=120"),
    Step("wire", wire_tests, "tests/wire", ("install", "npm-wire")),
    tests("cli", "--timeout=120", workers=FILE_WORKERS),
    tests("kernel", "--timeout=120", needs=("kernels",), workers=WAITING_WORKERS),
    tests("browser", "--timeout=180", needs=("kernels", "chromium"), workers=FILE_WORKERS),
    tests("peers", "--timeout=120", needs=("vovk-servers",)),
    tests("notebooks", "--timeout=180", workers=WAITING_FILE_WORKERS),
    Step("docs", docs, "tests/docs", ("install", "kernels")),
    tests("packaging", "--timeout=300"),
    Step("newer", lambda: newer_python_tests("--one-codec"), "tests/unit"),
)
# What is the same once more: on other versions, in other sizes, and the pictures.
MATRIX_TESTS = ("tests/browser", "tests/faults")  # the only ones that are marked for it
MATRIX_STEPS = (
    Step(
        "matrix-browser",
        lambda: pytest("tests/browser", "--timeout=180", marked="matrix"),
        "tests/browser",
        ("install", "kernels", "chromium"),
    ),
    *(
        Step(
            f"lab-{version}",
            partial(lab_tests, version),
            "tests/browser",
            ("install", "kernels", "chromium"),
        )
        for version in machine.OLDER_LABS
    ),
    Step("rtc", rtc_tests, "tests/browser", ("install", "kernels", "chromium")),
    Step(
        "matrix-faults",
        lambda: pytest("tests/faults", "--timeout=180", marked="matrix"),
        "tests/faults",
        ("install",),
    ),
    Step("clients", client_tests, "tests/clients"),
    Step("matrix-newer", lambda: newer_python_tests(marked="not matrix"), "tests/unit"),
)
# Checks with a name of their own that repeat some of the others.
EXTRA_STEPS = (
    Step("site", site, "docs/conf.py", ("install",)),
    Step("pictures", pictures, "docs/pictures", ("install", "kernels", "chromium")),
    *MATRIX_STEPS,
    Step(
        "fast",
        lambda: pytest(*UNIT_TESTS, *WORKERS, marked="not slow and not matrix"),
        "tests/unit",
        ("install",),
    ),
)


def select(names: Sequence[str]) -> list[Step]:
    """The steps of these names and what they need (all if none is named), in the table's order."""
    by_name = {step.name: step for step in (*STEPS, *EXTRA_STEPS)}
    if not names:
        return list(STEPS)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise SystemExit(f"unknown check {unknown[0]!r}; there are: {', '.join(by_name)}")
    wanted: set[str] = set()

    def add(name: str) -> None:
        wanted.add(name)
        for need in by_name[name].needs:
            add(need)

    for name in names:
        add(name)
    return [step for name, step in by_name.items() if name in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the project's checks in order.")
    parser.add_argument("names", nargs="*", help="the checks to run (default: all)")
    options = parser.parse_args()
    os.environ.update(machine.environment())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background by a shell: what ignores interrupts would hand that on to the
        # programs whose answer to Ctrl-C is tested.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    noted = figures.begin()
    passed: list[str] = []
    absent: list[str] = []
    failed: dict[str, str] = {}  # and why
    rows: list[str] = []
    started_s = time.monotonic()
    for step in select(options.names):
        if not (ROOT / step.path).exists():
            absent.append(step.name)
            rows.append(f"  absent           {step.name} ({step.path} does not exist)")
            continue
        print(f"\n==> {step.name}", flush=True)
        step_started_s = time.monotonic()
        try:
            if missing := [need for need in step.needs if need in failed]:
                raise StepFailed(f"not run: it needs {missing[0]}, which failed")
            step.run()
        except (StepFailed, machine.SetupFailed, OSError, subprocess.CalledProcessError) as exc:
            print(f"{step.name}: {exc}", flush=True)
            failed[step.name] = str(exc)
            word = "FAILED"
        else:
            passed.append(step.name)
            word = "ok"
        rows.append(f"  {word:6} {time.monotonic() - step_started_s:7.1f} s  {step.name}")

    print("\n" + "\n".join(rows))
    if gathered := figures.gather(noted):
        # Only a warning: how busy the machine was shows in these, too.
        print("\n".join([*figures.compare(gathered), f"figures: {gathered.relative_to(ROOT)}"]))
    for name, why in failed.items():
        print(f"{name}: {why}")
    summary = f"{len(passed)} steps passed"
    summary += f", {len(failed)} FAILED ({', '.join(failed)})" if failed else ""
    summary += f", {len(absent)} absent ({', '.join(absent)})" if absent else ""
    print(f"{summary}, in {time.monotonic() - started_s:.0f} s", flush=True)
    return 1 if failed or absent else 0


if __name__ == "__main__":
    sys.exit(main())
