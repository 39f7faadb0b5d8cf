"""Whose an object is: all ownership labels decide, never a name and never one label alone."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.stacks.identity import LABEL, OWNERSHIP, PROTECT, Whose, parse_time

__all__ = [
    "BACKEND",
    "CLASH",
    "ENVIRONMENT",
    "NOT_AFTER",
    "TARGET",
    "is_owned",
    "other_backend",
    "protected",
    "refusal",
    "whose_of",
]

ENVIRONMENT = LABEL + "environment"
BACKEND = LABEL + "backend"
TARGET = LABEL + "target"
NOT_AFTER = LABEL + "not-after"

CLASH = (
    "Give yours an id of its own with --name (under plain Pulumi: another stack's name), or remove that one with the "
    "backend that made it."
)
"""What to do where two backends have come to the same environment's id."""


def is_owned(labels: Mapping[str, str] | None, whose: Whose | None = None) -> bool:
    """Whether every ownership label has a value, and environment and backend are those asked for (None: any)."""
    if not labels or not all(labels.get(key) for key in OWNERSHIP):
        return False
    return whose is None or whose_of(labels) == whose


def whose_of(labels: Mapping[str, str]) -> Whose:
    """Whose an object with all ownership labels is."""
    return Whose(labels[ENVIRONMENT], labels[BACKEND])


def other_backend(labels: Mapping[str, str] | None, whose: Whose) -> str:
    """The id of the other backend whose environment of the same id the object is of; `""`: it is of none such."""
    found = labels or {}
    backend = found.get(BACKEND, "")
    return backend if found.get(ENVIRONMENT) == whose.environment and backend != whose.backend else ""


def protected(labels: Mapping[str, str] | None) -> bool:
    """Whether a user protects the object: the label `dev.understudy.protect` with any value but `false`."""
    return (labels or {}).get(PROTECT, "false").lower() != "false"


def refusal(labels: Mapping[str, str] | None, whose: Whose, identity: str) -> str:
    """Why an object must not be removed for this environment on this target; `""` when it may be.

    An object whose target label names another daemon came here with a copied disk or a restored backup: it is kept
    and reported.
    """
    if not is_owned(labels, whose):
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
