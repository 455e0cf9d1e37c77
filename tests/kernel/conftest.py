"""Kernels for the tests of this folder; see support/kernels/kernel.py for what they can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.kernels.kernel import NEWEST, VERSIONS, Kernel

StartKernel = Callable[..., Kernel]


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[StartKernel]:
    """``start_kernel("7.3.0")``: a fresh kernel, shut down when the test ends."""
    kernels: list[Kernel] = []

    def start(version: str = NEWEST, **options: object) -> Kernel:
        home = tmp_path / f"home-{len(kernels)}"
        home.mkdir()
        kernels.append(Kernel.start(version, home=home, **options))  # type: ignore[arg-type]
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.shutdown()


@pytest.fixture
def kernel(start_kernel: StartKernel) -> Kernel:
    """A fresh kernel of the newest version."""
    return start_kernel()


@pytest.fixture(params=list(VERSIONS))
def each_kernel(request: pytest.FixtureRequest, start_kernel: StartKernel) -> Kernel:
    """A fresh kernel of every version in turn: for cancel and interrupt only, they take time."""
    return start_kernel(request.param)
