"""The parts of the page about the clone: topology, services and what they used, mocks, what differs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from understudy.report import ContainerRecord, NodeRecord, PropertyRecord, RunRecord
from understudy.report.alike import grouped
from understudy.report.alike import joined as subjects_joined
from understudy.report_html.graph_svg import SIGNS, graph_svg
from understudy.report_html.links import file_link, logs_named
from understudy.report_html.markup import Child, Markup, el
from understudy.report_html.parts_run import section, table
from understudy.stacks.clone import Fidelity
from understudy.suites.running import file_name

__all__ = ["fidelity_part", "graph_part", "mocks_part", "services_part"]

_MIB = 1 << 20
_LEGEND = (
    ("edge on-started", "waits until started"),
    ("edge on-healthy", "until healthy"),
    ("edge on-completed", "until completed"),
    ("edge on-names", "names its host"),
)


def graph_part(record: RunRecord) -> Markup | None:
    """The drawing of the topology with its legend."""
    drawn = graph_svg(record.graph)
    if drawn is None:
        return None
    lines = [
        (
            el(
                "svg",
                el("g", el("path", class_="line", d="M0 5H26"), class_=name),
                width="28",
                height="10",
                attributes={"aria-hidden": "true"},
            ),
            " ",
            label,
            " ",
        )
        for name, label in _LEGEND
    ]
    return section(
        "topology",
        "Topology",
        el("div", drawn, class_="wide graph", tabindex="0"),
        el(
            "p",
            "An arrow leads from a service to what it depends on: ",
            lines,
            ". The stripe and the sign are health at the end, the word at the right is fidelity to production.",
            class_="dim legend",
        ),
    )


def services_part(record: RunRecord, base: str | None) -> Markup | None:
    """A row for each service and mock: health, fidelity, restarts, what it used, and its log."""
    if not record.graph.nodes:
        return None
    by_service: dict[str, list[ContainerRecord]] = {}
    for each in record.containers:
        by_service.setdefault(each.service, []).append(each)
    heads = ("service", "kind", "health", "fidelity", "exit", "restarts", "CPU", "memory, peak of limit", "log")
    rows = [
        _service(number, node, by_service.get(node.name, []), record, base)
        for number, node in enumerate(record.graph.nodes)
    ]
    return section("services", "Services", table(heads, rows))


def _service(
    number: int, node: NodeRecord, containers: list[ContainerRecord], record: RunRecord, base: str | None
) -> Markup:
    facts = [each.facts for each in containers]
    logs = logs_named(node.name, record.files)
    used = [each for each in record.usage if each.service == node.name]
    cpu = [each.cpu_seconds for each in used if each.cpu_seconds is not None]
    peak = [each.memory_peak for each in used if each.memory_peak is not None]
    return el(
        "tr",
        el("td", el("code", node.name)),
        el("td", node.kind),
        el(
            "td",
            el(
                "span",
                f"{SIGNS.get(node.health, '?')} {node.health or 'not known'}",
                class_=f"health health-{node.health or 'unknown'}",
            ),
            _last_output(facts),
        ),
        el("td", el("span", node.fidelity or "not compared", class_=f"tag is-{node.fidelity or 'unknown'}")),
        el("td", ", ".join(str(each.get("exit_code", "")) for each in facts if each.get("state") != "running")),
        el("td", ", ".join(str(each.get("restarts", "")) for each in facts)),
        el("td", f"{sum(cpu):.2f} s" if cpu else ""),
        el("td", _memory(max(peak, default=None), facts)),
        el("td", [(file_link(base, path, "log"), " ") for path in logs]),
        id=f"service-{number}",
    )


def _last_output(facts: list[Mapping[str, object]]) -> Child:
    """What the health check said last, of a container that was not healthy."""
    for each in facts:
        health = each.get("health")
        if isinstance(health, Mapping) and health.get("status") == "unhealthy" and health.get("last_output"):
            return el("p", str(health["last_output"]), class_="dim")
    return next((el("p", str(each["error"]), class_="dim") for each in facts if each.get("error")), None)


def _memory(peak: float | None, facts: list[Mapping[str, object]]) -> str:
    limit = next((each["memory_limit"] for each in facts if each.get("memory_limit")), None)
    shown = f"{peak / _MIB:.0f} MiB" if peak is not None else ""
    return f"{shown} of {limit / _MIB:.0f} MiB".strip() if isinstance(limit, (int, float)) else shown


def mocks_part(record: RunRecord, base: str | None) -> Markup | None:
    """What the mocks were asked, and how often they had no answer."""
    if not record.mocks:
        return None
    rows = [
        el(
            "tr",
            el("td", el("code", record.named(mock.name, mock.part))),
            el("td", f"{mock.host}:{mock.port}"),
            el("td", "not known" if mock.requests is None else str(mock.requests)),
            el(
                "td",
                "not known" if mock.unmatched is None else str(mock.unmatched),
                class_="bad" if mock.unmatched else None,
            ),
            el("td", f"{mock.lost} of them are gone from its journal" if mock.lost else ""),
            el(
                "td",
                file_link(base, path, "requests")
                if (path := f"{mock.part and mock.part + '/'}mocks/{file_name(mock.name)}.json") in record.files
                else "",
            ),
        )
        for mock in record.mocks
    ]
    return section("mocks", "Mocks", table(("mock", "stands in for", "asked", "no answer", "", ""), rows))


def fidelity_part(record: RunRecord) -> Markup | None:
    """What differs from production, the farthest first; what is alike in several parts is told once."""
    if not record.properties:
        return None
    counts = Counter(each.fidelity for each in record.properties)
    order = [each.value for each in reversed(Fidelity)]
    chips = [el("span", f"{counts[name]} {name}", class_=f"tag is-{name}") for name in order if counts[name]]
    folds = [
        _fold(name, [each for each in record.properties if each.fidelity == name]) for name in order if counts[name]
    ]
    return section("fidelity", "What differs from production", el("p", chips, class_="chips"), folds)


def _fold(name: str, found: list[PropertyRecord]) -> Markup:
    shared = grouped(
        found,
        subject=lambda each: each.subject,
        same=lambda each: (each.property, each.production, each.clone, each.reason, each.rule),
    )
    rows = [
        el(
            "tr",
            el("td", el("code", subjects_joined(subjects))),
            el("td", el("code", each.property or "(the whole)")),
            el("td", _value(each.production)),
            el("td", _value(each.clone)),
            el("td", each.reason, el("code", f" [{each.rule}]") if each.rule else None, class_="why"),
        )
        for subjects, alike in shared.items()
        for each in alike
    ]
    heads = ("part", "property", "production", "clone", "why")
    return el(
        "details",
        el(
            "summary",
            el("span", name, class_=f"tag is-{name}"),
            f" {len(found)} propert{'y' if len(found) == 1 else 'ies'}",
        ),
        table(heads, rows),
        open="" if name in {"mocked", "missing"} else None,
        class_=f"fold f-{name}",
    )


def _value(value: str | None) -> Markup:
    return el("i", "absent", class_="dim") if value is None else el("code", value)
