"""The ipykernel versions the tests run on, and how they come to be installed next to each other.

``python tests/support/kernels/versions.py`` installs them. Each goes into a folder of its own under
.kernels/ without its dependencies: they are those of the environment, which all versions share.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
KERNELS_DIR: Final = ROOT / ".kernels"

#: The version most tests run on: the newest.
NEWEST: Final = "7.4.0"
#: version -> what it needs beyond the newest kernel's own dependencies.
VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    "6.29.5": ("nest_asyncio==1.6.0",),
    "6.31.0": ("nest_asyncio==1.6.0",),
    "7.3.0": ("nest_asyncio==1.6.0",),
    NEWEST: (),
}


def folder_of(version: str) -> Path:
    """Where ``ipykernel`` of this version lies; to be put first on the kernel's PYTHONPATH."""
    return KERNELS_DIR / version


def is_installed(version: str) -> bool:
    return (folder_of(version) / f"ipykernel-{version}.dist-info").is_dir()


def install(version: str) -> None:
    """Install one version with pip; raises CalledProcessError, pip says why."""
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    target = ["--no-deps", "--upgrade", "--target", str(folder_of(version))]
    subprocess.run([*pip, *target, f"ipykernel=={version}", *VERSIONS[version]], check=True)


def main() -> int:
    for version in VERSIONS:
        if not is_installed(version):
            install(version)
    print(f"kernels: ipykernel {', '.join(VERSIONS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
