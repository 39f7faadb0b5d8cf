"""One self-contained HTML page: no script, nothing loaded from anywhere, every foreign text escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator

from understudy.diff.record import DifferenceRecord, DiffRecord, DriftRecord, PreviewRecord
from understudy.diff.wording import ABSENT, Group, fidelities, headline, mark, operations, sections
from understudy.report.visible import plural, visible

__all__ = ["render"]

_STYLE = """\
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--add:#1a7f37;--del:#cf222e;--mod:#9a6700;--dim:#6e7781}
@media(prefers-color-scheme:dark){:root{--add:#3fb950;--del:#f85149;--mod:#d29922;--dim:#9198a1}}
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.3rem 0}code{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;overflow:hidden}
summary{padding:.45rem .7rem;background:var(--soft);cursor:pointer}
table{border-collapse:collapse;width:100%;table-layout:fixed}
th,td{text-align:left;vertical-align:top;padding:.35rem .7rem;border-top:1px solid var(--line)}
th{font-weight:600;font-size:.85rem;color:var(--dim)}.why{color:var(--dim);font-size:.9rem}
.sign{width:1.2rem;font-family:ui-monospace,monospace}.add{color:var(--add)}.del{color:var(--del)}.mod{color:var(--mod)}
.tag{border:1px solid var(--line);border-radius:1rem;padding:0 .5rem;font-size:.8rem;margin-left:.4rem}
i{color:var(--dim)}"""

_CLASSES = {"+": "add", "-": "del", "~": "mod"}


def render(record: DiffRecord) -> str:
    """The record as an HTML page."""
    title = f"{record.before.title} \u2192 {record.after.title}"
    body = [
        f"<h1>{_text(record.before.title)} \u2192 {_text(record.after.title)}</h1>",
        f"<p>{_text(headline(record))}</p>",
    ]
    if record.preview is not None:
        body.append(f"<p>{_text(operations(record))}</p>")
    for heading, groups in sections(record).items():
        body.append(f"<h2>{heading}</h2>")
        body += [_group(record, group) for group in groups]
    body += _preview(record.preview)
    body += [_drift(each) for each in record.drift]
    if record.warnings:
        body.append("<h2>Notes</h2>")
        body += [f"<p>{_text(each)}</p>" for each in record.warnings]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _text(text: str) -> str:
    return html.escape(visible(text))


def _code(text: str | None) -> str:
    return f"<i>{ABSENT}</i>" if text is None else f"<code>{_text(text)}</code>"


def _group(record: DiffRecord, group: Group) -> str:
    tags = "".join(f'<span class="tag">{_text(name)}</span>' for name in fidelities(group.found))
    rows = "\n".join(_row(each) for each in group.found)
    return (
        f"<details open><summary><code>{_text(group.title)}</code> "
        f"{plural(len(group.found), 'difference')}{tags}</summary>"
        '<table><tr><th class="sign"></th><th>property</th>'
        f"<th>{record.before.kind}</th><th>{record.after.kind}</th><th>why</th></tr>\n{rows}</table></details>"
    )


def _row(found: DifferenceRecord) -> str:
    sign = mark(found)
    where = f" <code>{_text(found.rule)}</code>" if found.rule else ""
    return (
        f'<tr><td class="sign {_CLASSES[sign]}">{sign}</td><td><code>{_text(found.label)}</code></td>'
        f"<td>{_code(found.before)}</td><td>{_code(found.after)}</td>"
        f'<td class="why">{_text(found.reason)}{where}</td></tr>'
    )


def _preview(preview: PreviewRecord | None) -> Iterator[str]:
    steps = [step for step in preview.steps if step.op != "same"] if preview else []
    if steps:
        rows = "\n".join(
            f"<tr><td>{_text(step.op)}</td><td><code>{_text(step.type)}</code></td><td><code>{_text(step.name)}</code>"
            f"</td><td><code>{_text(', '.join(step.properties))}</code></td></tr>"
            for step in steps
        )
        yield "<h2>What Pulumi would do</h2>"
        yield (
            f"<details open><summary>{plural(len(steps), 'resource')}</summary><table><tr><th>operation</th>"
            f"<th>type</th><th>name</th><th>properties</th></tr>\n{rows}</table></details>"
        )


def _drift(found: DriftRecord) -> str:
    rows = "\n".join(
        f"<tr><td><code>{_text(each.path)}</code></td><td>{_code(each.provisioned)}</td><td>{_code(each.actual)}</td></tr>"
        for each in found.properties
    )
    table = f"<table><tr><th>property</th><th>provisioned</th><th>actual</th></tr>\n{rows}</table>" if rows else ""
    return (
        f"<details open><summary>{_text(found.kind)} <code>{_text(found.title)}</code>"
        f'<span class="tag">{_text(found.state)}</span> <span class="why">{_text(found.detail)}</span></summary>'
        f"{table}</details>"
    )
