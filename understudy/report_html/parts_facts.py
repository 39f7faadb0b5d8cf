"""The last part of the page: what was run, where and from what, the receipt, and the files. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.report import RunRecord
from understudy.report.visible import plural
from understudy.report_html.links import file_link
from understudy.report_html.markup import Child, Markup, el
from understudy.report_html.moments import clock, duration, epoch
from understudy.report_html.parts_run import pairs, section, table

__all__ = ["facts_part"]


def facts_part(record: RunRecord, base: str | None) -> Markup:
    """What was run, where and from what; phases, endpoints, images, the receipt, warnings, and the folder's files."""
    return section(
        "facts",
        "The run",
        pairs(_facts(record)),
        _receipt(record),
        el(
            "details",
            el("summary", f"Warnings ({len(record.warnings)})"),
            el("ul", [el("li", w) for w in record.warnings]),
        )
        if record.warnings
        else None,
        _table(
            "Where the evidence was sent",
            ("sink", "ended", "attempts", "took", "what it said"),
            [
                (s.sink, "sent" if s.ok else "failed", str(s.attempts), duration(s.seconds), s.message)
                for s in record.sinks
            ],
        ),
        _table(
            "Parts that this report was joined from",
            ("shard", "run", "environment", "exit code", "took", "receipt"),
            [
                (p.shard, p.run, p.environment, str(p.exit_code), duration(p.seconds), p.receipt or "none")
                for p in record.parts
            ],
        ),
        _table("Endpoints", ("endpoint", "where"), [(f"{e.service}:{e.port}", e.url) for e in record.endpoints]),
        _table(
            "Images",
            ("service", "image", "from", "digest"),
            [(i.service, i.reference, i.origin, i.digest) for i in record.images],
        ),
        el(
            "details",
            el("summary", f"Files of the run folder ({len(record.files)})"),
            el("ul", [el("li", file_link(base, path)) for path in record.files], class_="files"),
            open="" if len(record.files) <= 60 else None,  # noqa: PLR2004 - a screen
        )
        if record.files
        else None,
    )


def _facts(record: RunRecord) -> Iterator[tuple[str, Child]]:
    yield "run", record.run
    yield "environment", record.environment
    yield "target", record.target
    yield "repository", record.repository
    yield "topology", record.topology
    yield "commit", record.commit + (" (dirty)" if record.dirty else "")
    yield "branch", record.branch
    yield "production", record.production_ref
    yield "profile", record.profile
    yield "shard", record.shard
    yield "CI job", _ci(record)
    yield "started", clock(record.started)
    yield "ready", _since(record)
    yield "ended", clock(record.ended)
    yield "stopped in", None if record.stop_seconds is None else duration(record.stop_seconds)
    yield "Understudy", record.version


def _ci(record: RunRecord) -> Child:
    job = record.ci
    if job is None:
        return None
    named = " ".join(filter(None, (job.provider, job.job)))
    return el("a", named, href=job.url, rel="noreferrer") if job.url.startswith(("https://", "http://")) else named


def _since(record: RunRecord) -> str | None:
    ready, start = epoch(record.ready_at), epoch(record.started)
    return None if ready is None or start is None else f"{clock(record.ready_at)}, after {duration(ready - start)}"


def _receipt(record: RunRecord) -> Markup | None:
    """The receipt; those of a joined run stand beside its parts."""
    receipt = record.receipt
    if record.parts:
        return None
    if receipt is None:
        return el("p", "No receipt: nothing was destroyed, or the run did not come so far.", class_="note")
    looked = ", ".join(plural(count, kind) for kind, count in receipt.looked.items())
    left = [el("li", f"{each.kind} {each.name} ({each.id})") for each in receipt.leftovers]
    return el(
        "div",
        el("strong", f"Receipt: {receipt.outcome}"),
        f" at {clock(receipt.taken_at)}" + (f"; the target listed {looked} in all" if looked else "") + ". ",
        receipt.reason,
        el("ul", left) if left else None,
        class_=f"receipt r-{receipt.outcome.lower()}",
    )


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Markup | None:
    if not rows:
        return None
    return el(
        "details",
        el("summary", f"{title} ({len(rows)})"),
        table(heads, [el("tr", [el("td", el("code", cell)) for cell in row]) for row in rows]),
    )
