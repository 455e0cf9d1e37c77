"""The static output of a run: what stays in the notebook when nothing is live any more."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.status import Status
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["MIME_TYPE", "checkpoint_bundle", "static_bundle"]

MIME_TYPE = "application/vnd.kkjupyter.v1+json"


def static_bundle(view: str, excerpt: Excerpt, status: Status) -> dict[str, Any]:
    return {
        MIME_TYPE: {"view": view, "left_out": excerpt.left_out, **status.to_json()},
        "text/plain": excerpt.text,
    }


def checkpoint_bundle(excerpt: Excerpt, status: Status) -> dict[str, Any]:
    return {"text/plain": f"{excerpt.text}\n[not finished when saved]"}
