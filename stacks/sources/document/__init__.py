"""Compose files as they are found, read into the one document that `docker compose config` prints of them."""

from __future__ import annotations

from .environment import project_variables
from .load import Document, load, peek
from .render import as_json, as_yaml, printed
from .yaml_text import Node

__all__ = ["Document", "Node", "as_json", "as_yaml", "load", "peek", "printed", "project_variables"]
