"""What a pass is as text, as one line and as data: renderers without logic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from understudy.console import printable
from understudy.reap.model import Judgement
from understudy.reap.passing import Pass
from understudy.stacks.identity import format_time

__all__ = ["as_data", "as_line", "as_text"]

_SHOWN = {Judgement.REAP: 0, Judgement.UNKNOWN: 1, Judgement.HOLD: 2, Judgement.KEEP: 3}


def as_text(made: Pass) -> str:
    """The verdicts, what to reap first, what was done, and the sum."""
    return printable("\n".join([*_verdicts(made), *_deeds(made), as_line(made), *_advice(made)]))


def as_line(made: Pass) -> str:
    """One pass in one line."""
    kinds = Counter(str(verdict.kind) for verdict in made.verdicts)
    judged = ", ".join(f"{kinds[kind]} to {kind}" for kind in ("reap", "keep") if kinds[kind])
    rest = ", ".join(f"{kinds[kind]} {kind}" for kind in ("hold", "unknown") if kinds[kind])
    counts = ", ".join(part for part in (judged, rest) if part) or "nothing there"
    parts = [f"{format_time(made.facts.now)} {made.facts.target or 'UNKNOWN target'}: {counts}"]
    if not made.dry:
        removed, failed = sum(r.clean for r in made.reaped), sum(r.failed for r in made.reaped)
        parts.append(f"{removed} removed" + (f", {failed} failed" if failed else ""))
    if made.images is not None and made.images.removed:
        freed = f"{len(made.images.removed)} cached images of {made.images.freed / 1e9:.1f} GB"
        parts.append(f"{'would prune' if made.dry or made.capped else 'pruned'} {freed}")
    return printable("; ".join([*parts, f"exit {made.exit_code}"]).replace("\n", " "))


def as_data(made: Pass) -> dict[str, object]:
    """A pass as JSON-ready data."""
    facts = made.facts
    return {
        "target": facts.target,
        "now": format_time(facts.now),
        "target_clock": format_time(facts.clock) if facts.clock else None,
        "dry_run": made.dry,
        "cap": made.cap,
        "capped": made.capped,
        "verdicts": [
            {
                "kind": str(verdict.kind),
                "subject": verdict.subject.kind,
                "name": verdict.subject.name,
                "backend": verdict.subject.backend,
                "reason": verdict.reason,
                "doubt": verdict.doubt,
                "objects": verdict.objects,
                "attempts": verdict.attempts,
            }
            for verdict in made.verdicts
        ],
        "reaped": [
            {
                "subject": reaped.subject.kind,
                "name": reaped.subject.name,
                "backend": reaped.subject.backend,
                "receipt": str(reaped.receipt.outcome) if reaped.receipt else None,
                "leftovers": [f"{o.kind} {o.name}" for o in reaped.receipt.leftovers] if reaped.receipt else [],
                "detail": reaped.detail,
                "failed": reaped.failed,
            }
            for reaped in made.reaped
        ],
        "images": {
            "removed": list(made.images.removed),
            "bytes": made.images.freed,
            "failed": [{"image": image, "reason": reason} for image, reason in made.images.failed],
        }
        if made.images is not None
        else None,
        "problems": [*facts.problems, *made.problems],
        "exit_code": made.exit_code,
    }


def _verdicts(made: Pass) -> Iterator[str]:
    for verdict in sorted(made.verdicts, key=lambda v: (_SHOWN[v.kind], v.subject)):
        held = f" ({verdict.objects} objects)" if verdict.objects else ""
        tried = f"; {verdict.attempts} removals failed before" if verdict.attempts else ""
        mark = " [!]" if verdict.doubt else ""
        said = f"{verdict.subject}{held}: {verdict.reason}{tried}{mark}".replace("\n", " ")
        yield f"{verdict.kind:<8}{said}"


def _deeds(made: Pass) -> Iterator[str]:
    for reaped in made.reaped:
        outcome = str(reaped.receipt.outcome) if reaped.receipt else "no receipt"
        left = ", ".join(f"{o.kind} {o.name}" for o in reaped.receipt.leftovers) if reaped.receipt else ""
        detail = "".join(f" - {part}" for part in (reaped.detail, left) if part)
        yield f"{outcome:<12}{reaped.subject}{detail}".replace("\n", " ")
    for problem in (*made.facts.problems, *made.problems):
        yield f"could not look: {problem}".replace("\n", " ")


def _advice(made: Pass) -> Iterator[str]:
    if made.capped:
        yield (
            f"{made.wanted} would go, which is more than the {made.cap} that one pass may remove: nothing was removed. "
            f"Look at them; if all of them are meant, say `--max-destroy {made.wanted}`."
        )
    elif made.dry and made.wanted:
        yield "This was a dry run: nothing was removed. The same command with `--yes` removes what is to be reaped."
    if any(verdict.doubt for verdict in made.verdicts):
        yield "[!] was kept because it could not be judged: look at it, and remove it by hand once it is nobody's."
