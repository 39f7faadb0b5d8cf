"""The corpus: Compose projects of this project's own, each with how it is called and where it is to be refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent / "corpus"

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "stack.yml")


@dataclass(frozen=True)
class Refusal:
    """What Compose's message has in it, and where ours has to point: `file:line:column` or less of it, and the key."""

    says: str
    at: str = ""
    key: str = ""


@dataclass(frozen=True)
class Case:
    """`reads_back` is false where Compose cannot read what it prints itself, as it leaves out what it then misses."""

    folder: Path
    about: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    format: str = "json"
    reads_back: bool = True
    refused: Refusal | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    def documents(self) -> list[Path]:
        """Every YAML file of the case, those that it includes and extends too."""
        return sorted(path for path in self.folder.rglob("*") if path.suffix in {".yaml", ".yml"})


def read_case(folder: Path) -> Case:
    given: dict[str, Any] = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    files = given.pop("files", None) or [next(name for name in _NAMES if (folder / name).is_file())]
    refused = given.pop("refused", None)
    return Case(
        folder=folder,
        about=given.pop("about"),
        files=tuple(files),
        env_files=tuple(given.pop("env_files", ())),
        profiles=tuple(given.pop("profiles", ())),
        variables=given.pop("variables", {}),
        format=given.pop("format", "json"),
        refused=Refusal(**refused) if refused else None,
        **given,
    )


def all_cases() -> list[Case]:
    return [read_case(path.parent) for path in sorted(CORPUS.glob("*/case.toml"))]
