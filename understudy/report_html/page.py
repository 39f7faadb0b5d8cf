"""The page: parts, data, style and script in one file that loads nothing and runs no other script."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json

from understudy.report import RunRecord
from understudy.report_html.data import page_data
from understudy.report_html.evidence import Logs
from understudy.report_html.markup import Markup, el, joined
from understudy.report_html.parts_clone import fidelity_part, graph_part, mocks_part, services_part
from understudy.report_html.parts_facts import facts_part
from understudy.report_html.parts_run import causes_part, header_part, noscript_part, tails_part
from understudy.report_html.parts_tests import history_part, suites_part, timeline_table
from understudy.report_html.verdict import verdict_of

__all__ = ["SCRIPTS", "render"]

SCRIPTS = ("dom", "theme", "detail", "failures", "tests", "lanes", "timeline", "graph", "keys", "main")
"""The parts of the page's script, in the order in which they are joined."""

_STYLES = ("page", "parts", "print")


def render(record: RunRecord, logs: Logs, base: str | None = ".") -> str:
    """The page of a run.

    Args:
        record: the run.
        logs: what its folder's logs say, from `logs_of`.
        base: where the run folder lies from the page, as a relative path with slashes; None: links lead nowhere.
    """
    verdict = verdict_of(record)
    script = _script()
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = joined(
        (
            el("meta", charset="utf-8"),
            el("meta", attributes={"http-equiv": "Content-Security-Policy", "content": policy}),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("meta", name="referrer", content="no-referrer"),
            el("title", f"{verdict.word}: {record.project} {record.commit[:12]}"),
            el("style", Markup("\n".join(_asset(f"{name}.css") for name in _STYLES))),
        ),
    )
    data = {**page_data(record, logs), "base": base}
    body = el(
        "body",
        header_part(record, verdict),
        el(
            "main",
            causes_part(record),
            noscript_part(record),
            el("section", id="failures", class_="js", hidden="", attributes={"aria-label": "Failing tests"}),
            tails_part(logs, base),
            timeline_table(record),
            suites_part(record),
            history_part(record),
            graph_part(record),
            services_part(record, base),
            mocks_part(record, base),
            fidelity_part(record),
            facts_part(record, base),
        ),
        Markup(_asset("help.html")),
        el("script", Markup(_json(data)), type="application/json", id="data"),
        el("script", Markup(script)),
        class_=f"is-{verdict.kind}",
    )
    return f"<!DOCTYPE html>\n{el('html', el('head', head), body, lang='en')}\n"


def _script() -> str:
    inside = "\n".join(f"// {name}.js\n{_asset(f'{name}.js')}" for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{inside}}})();\n'


def _asset(name: str) -> str:
    return importlib.resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _json(data: object) -> str:
    """JSON that cannot end its script block or begin a comment in it, and has no separator that a script breaks at.

    HTML Living Standard, "Restrictions for contents of script elements": `<` is all that matters there.
    """
    plain = json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII: U+2028 is an escape
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
