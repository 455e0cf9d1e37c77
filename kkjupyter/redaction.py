"""What is left out of an address, a header or a command before anybody sees it: the one home of
which names tell of a secret, and where in an address one hides."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

__all__ = ["is_secret_name", "without_secrets"]

_SECRET_PARTS: Final = re.compile(
    r"key|token|secret|passw|pwd|credential|auth|session|cookie|bearer|signature", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether a header, parameter, option or variable of this name is likely to carry a secret."""
    return _SECRET_PARTS.search(name) is not None


def without_secrets(url: str) -> str:
    """``url`` without user, password, query and fragment, where tokens hide."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that do not match
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
