"""Names that a server of ours answers besides those of the object it serves.

No Python name has a hyphen, so only an entry of a served dict can stand under one of these; then it
is meant. Other peers answer that there is no such method.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DESCRIBE_NAME", "KEYWORDS_NAME"]

DESCRIBE_NAME: Final = "kk-describe"
"""Called, it tells what the server understands: ``{"keywords": true}``.

Called with ``"names"`` it lists the methods, and with ``"method"`` and a path it describes one,
unless the server does not offer that.
"""

KEYWORDS_NAME: Final = "kk-keywords"
"""Before the path of a call or a constructor: the last argument holds keyword arguments, each of
which is meant by name. Sent only to a server that says it understands that."""
