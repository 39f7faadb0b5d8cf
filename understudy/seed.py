"""The seed of an environment's secrets: made from the stack's passphrase and the id, stored nowhere."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping

from understudy.engine.settings import EngineSettings
from understudy.errors import UsageError
from understudy.stacks.secret_rules import Seed
from understudy.stacks.topology import Topology

__all__ = ["SEED_VARIABLE", "environment_seed", "secret_values", "seed_for"]

SEED_VARIABLE = "UNDERSTUDY_SEED"

_COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
"""scrypt's parameters for interactive use (RFC 7914, section 2, and its author's paper): 16 MiB, some 50 ms."""


def environment_seed(settings: EngineSettings, environment: str, variables: Mapping[str, str] | None = None) -> bytes:
    """32 bytes: scrypt over UNDERSTUDY_SEED or else the passphrase, with the environment's id as the salt.

    Raises:
        UsageError: there is neither, because a secrets provider without a passphrase guards the state.
    """
    given = os.environ if variables is None else variables
    secret = given.get(SEED_VARIABLE) or settings.passphrase
    if not secret and settings.passphrase_file is not None:
        try:
            secret = settings.passphrase_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"Read the passphrase file {settings.passphrase_file}, and it failed: {error}.") from error
    if not secret:  # an empty passphrase is known to everybody
        raise UsageError(
            "Secrets are made anew from a seed, and there is neither a passphrase nor a seed.",
            hint=f"Set {SEED_VARIABLE} to a secret text that stays the same for this project.",
        )
    return _derive(secret, environment)


@functools.cache
def _derive(secret: str, environment: str) -> bytes:
    """Once for a command: a run asks three times, and each costs 50 ms."""
    return hashlib.scrypt(secret.encode(), salt=f"understudy:{environment}".encode(), **_COST)


def seed_for(settings: EngineSettings, environment: str, topology: Topology) -> bytes:
    """The environment's seed, and nothing where no secret needs one.

    Raises:
        UsageError: as `environment_seed`.
    """
    return environment_seed(settings, environment) if topology.secrets else b""


def secret_values(seed: bytes, topology: Topology) -> dict[str, str]:
    """Secret's name -> the value that this environment has for it; secrets of one value in production have one here."""
    made = Seed(seed, topology.secret_rules)
    return {name: made.secret(topology.secret_aliases.get(name, name)) for name in topology.secrets}
