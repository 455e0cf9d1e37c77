"""What is inside a Remote, for tests that look there or break it."""

from __future__ import annotations

from typing import Any

from kkjupyter.client.remote import Remote, session_of
from kkjupyter.client.service import ServiceSession

__all__ = ["carrier"]


def carrier(api: Remote) -> Any:
    """The session whose connection carries the calls: of a service, that with its first worker."""
    session = session_of(api)
    return session._any if isinstance(session, ServiceSession) else session
