"""Certificates for tests, made by ``make.sh``. Their keys are public: trust them nowhere else."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, Literal

__all__ = ["AUTHORITY_FILE", "CertificateName", "certificate_file", "server_context"]

_HERE: Final = Path(__file__).parent

CertificateName = Literal["localhost", "elsewhere", "expired", "self_signed"]
"""``localhost``, ``elsewhere`` (another host's) and ``expired`` are issued by the authority;
``localhost``, ``expired`` and ``self_signed`` are for localhost, 127.0.0.1 and ::1."""

AUTHORITY_FILE: Final = _HERE / "authority.pem"


def certificate_file(name: CertificateName) -> Path:
    """The file with the key and the certificate."""
    return _HERE / f"{name}.pem"


def server_context(name: CertificateName) -> ssl.SSLContext:
    """What a server with that certificate needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file(name))
    return context
