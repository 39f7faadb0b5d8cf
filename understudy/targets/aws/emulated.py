"""An emulator that answers AWS's calls and runs nothing: known by its own answer, so that no wait is spent on it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping

__all__ = ["control_plane_only"]

_MOTO = "/moto-api/config"
"""Where moto's server answers with its own settings as JSON (moto, configuration options); no part of AWS has it."""

_LIMIT = 20.0
"""Seconds for that answer."""


def control_plane_only(variables: Mapping[str, str] = os.environ) -> str:
    """Why nothing of an environment can answer at this endpoint; `""`: it may.

    Asked only where AWS_ENDPOINT_URL names an endpoint, which real AWS needs not.
    """
    endpoint = variables.get("AWS_ENDPOINT_URL", "").rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        return ""
    try:
        with urllib.request.urlopen(endpoint + _MOTO, timeout=_LIMIT) as answer:  # noqa: S310 - HTTP only, as held above
            is_moto = answer.headers.get_content_type() == "application/json"
    except (urllib.error.URLError, OSError):
        return ""
    if not is_moto:
        return ""
    return f"the endpoint {endpoint} is moto, which answers AWS's calls and runs no task"
