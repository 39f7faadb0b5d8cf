"""Secrets made anew: the value takes the place of its token, and Pulumi keeps it as a secret."""

from __future__ import annotations

import re

import pulumi

from understudy.stacks.clone import SECRET_TOKEN
from understudy.stacks.secret_rules import Seed

__all__ = ["fill"]

_TOKEN = re.compile(SECRET_TOKEN)


def fill(text: str, seed: Seed) -> pulumi.Input[str]:
    """The text with every secret token replaced by its value; a Pulumi secret if there was one."""
    filled, count = _TOKEN.subn(lambda token: seed.secret(token[1]), text)
    return pulumi.Output.secret(filled) if count else text
