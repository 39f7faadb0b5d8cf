"""The reaper: facts of a backend and a target, a pure verdict with a reason on each, and a sweep of what is stale."""

from __future__ import annotations

from understudy.reap.classify import classify
from understudy.reap.model import Facts, Judgement, LeaseFact, Policy, StackFact, Subject, Verdict

__all__ = ["Facts", "Judgement", "LeaseFact", "Policy", "StackFact", "Subject", "Verdict", "classify"]
