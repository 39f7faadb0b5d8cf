"""Every name that is emitted, for 10,000 texts that nobody would choose: each fits, and none is another's (S2)."""

from __future__ import annotations

import random
import re

import pytest
from hostile_strings import hostile

from understudy.build.keys import _component
from understudy.stacks.identity import environment_id, environment_key, name
from understudy.suites.running import file_name

ID = environment_id("https://host/repo.git", "compose.yaml", "branch:main")
LETTERS = "abzABZ019-_./:@#$%^&*() \t\n\0\\'\"`<>|;!?=+~[]{}éßİﬁ\u202e\u200b💥"


def texts() -> list[str]:
    chance = random.Random(20261126)  # noqa: S311 - the same texts at each run
    made = {"".join(chance.choices(LETTERS, k=chance.randint(0, 90))) for _ in range(12_000)}
    return sorted({*made, *(text for text in hostile() if "\ud800" not in text)})


TEXTS = texts()


@pytest.mark.parametrize("limit", [28, 32, 40, 63, 80, 100])
def test_names_of_objects(limit: int) -> None:
    made = {name(ID, text, limit) for text in TEXTS}
    assert len(made) == len(TEXTS) >= 10_000
    pattern = re.compile(rf"[a-z][a-z0-9-]{{0,{limit - 2}}}[a-z0-9]")
    assert all(pattern.fullmatch(each) and "--" not in each for each in made)


def test_ids_of_environments() -> None:
    made = {environment_id(text, "compose.yaml", environment_key("up", branch=text or "-")) for text in TEXTS}
    assert len(made) == len(TEXTS)
    assert all(re.fullmatch(r"e[a-z2-7]{10}", each) for each in made)


def test_files_of_suites_and_mocks() -> None:
    made = {file_name(text) for text in TEXTS}
    assert len(made) == len(TEXTS)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,68}", each) for each in made)


def test_parts_of_images_names_which_the_key_tells_apart() -> None:
    assert all(
        re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", _component(text)) and len(_component(text)) <= 60 for text in TEXTS
    )
