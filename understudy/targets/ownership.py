"""Whose an object is: all ownership labels decide, never a name and never one label alone."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.stacks.identity import LABEL, OWNERSHIP, PROTECT, parse_time

__all__ = ["ENVIRONMENT", "NOT_AFTER", "TARGET", "is_owned", "protected", "refusal"]

ENVIRONMENT = LABEL + "environment"
TARGET = LABEL + "target"
NOT_AFTER = LABEL + "not-after"


def is_owned(labels: Mapping[str, str] | None, environment: str | None = None) -> bool:
    """Whether every ownership label has a value, and that of the environment is the one asked for (None: any)."""
    if not labels or not all(labels.get(key) for key in OWNERSHIP):
        return False
    return environment is None or labels[ENVIRONMENT] == environment


def protected(labels: Mapping[str, str] | None) -> bool:
    """Whether a user protects the object: the label `dev.understudy.protect` with any value but `false`."""
    return (labels or {}).get(PROTECT, "false").lower() != "false"


def refusal(labels: Mapping[str, str] | None, environment: str, identity: str) -> str:
    """Why an object must not be removed for this environment on this target; `""` when it may be.

    An object whose target label names another daemon came here with a copied disk or a restored backup: it is kept
    and reported.
    """
    if not is_owned(labels, environment):
        return "it does not carry all ownership labels of this environment any more; kept"
    if protected(labels):
        return f"it is protected by the label {PROTECT}; kept"
    try:
        parse_time((labels or {})[NOT_AFTER])
    except ValueError:
        return f"its label {NOT_AFTER} is no moment; kept"
    named = (labels or {})[TARGET]
    if named != identity:
        return f"its label names the target {named}, and this is {identity}; kept"
    return ""
