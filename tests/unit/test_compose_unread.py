"""No key that is cloned goes unread, in any file of the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.stacks.sources.compose import read_files
from understudy.stacks.sources.compose_keys import Taken, schema_path
from understudy.stacks.sources.compose_keys_parts import key_of
from understudy.stacks.topology import TopologyError

CORPUS = Path(__file__).resolve().parents[1] / "compose" / "corpus"


@pytest.mark.parametrize("folder", sorted(path.parent for path in CORPUS.glob("*/compose.yaml")), ids=lambda p: p.name)
def test_no_key_that_is_cloned_goes_unread(folder: Path) -> None:
    def read_file(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    try:
        found = read_files(("compose.yaml",), folder=folder.name, variables={}, read_file=read_file, provisioned=False)
    except TopologyError:
        return  # Compose refuses it, or it needs variables: no key of it is read
    for change in found.changes:
        row = key_of(schema_path(change.path))
        assert row.taken is not Taken.CLONED or change.reason != row.reason, f"{change.path} was not read"
