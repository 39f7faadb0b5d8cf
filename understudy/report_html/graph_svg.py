"""The topology as SVG: kinds as shapes, health as a sign and a colour, fidelity as a word and a colour. Pure."""

from __future__ import annotations

from understudy.report import EdgeRecord, GraphRecord, NodeRecord
from understudy.report_html.layout import Drawing, Point, draw
from understudy.report_html.markup import Markup, el

__all__ = ["SIGNS", "graph_svg"]

SIGNS = {
    "": "?",
    "completed": "\u2713",
    "healthy": "\u2713",
    "running": "\u25cf",
    "starting": "\u25cc",
    "restarting": "\u21bb",
    "unhealthy": "\u2717",
    "exited": "\u2717",
    "oom-killed": "\u2717",
}
"""Health -> its sign; the word stands beside it."""

_BOX = (164.0, 58.0)
_GAP = (56.0, 18.0)
_EDGE = 4.0
_LONGEST = 20


def graph_svg(graph: GraphRecord) -> Markup | None:
    """The drawing with a title and a description of each node; None: there is nothing to draw."""
    if not graph.nodes:
        return None
    drawing = draw(
        [node.name for node in graph.nodes], [(each.source, each.target) for each in graph.edges], box=_BOX, gap=_GAP
    )
    width, height = drawing.width + 2 * _EDGE, drawing.height + 2 * _EDGE
    return el(
        "svg",
        el("g", [_edge(each, drawing) for each in graph.edges], class_="edges"),
        el("g", [_node(number, node, drawing.nodes[node.name]) for number, node in enumerate(graph.nodes)]),
        id="graph-svg",
        role="group",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        attributes={"viewBox": f"{-_EDGE:.0f} {-_EDGE:.0f} {width:.0f} {height:.0f}", "aria-label": "The topology"},
    )


def _edge(edge: EdgeRecord, drawing: Drawing) -> Markup | None:
    points = drawing.edges.get((edge.source, edge.target))
    if points is None:
        return None
    path = _path(points)
    shown = {"names": "names the host of"}.get(edge.condition, f"waits until {edge.condition}:")
    (x, y) = points[-1]
    head = f"M{x - _BOX[0] / 2 - 7:.1f} {y - 4:.1f}l7 4l-7 4z"
    return el(
        "g",
        el("title", f"{edge.source} {shown} {edge.target}"),
        el("path", class_="line", d=path),
        el("path", class_="head", d=head),
        class_=f"edge on-{edge.condition}",
        data_source=edge.source,
        data_target=edge.target,
    )


def _path(points: tuple[Point, ...]) -> str:
    """A smooth line from the right side of the first box, through the places between, to the left of the last."""
    x, y = points[0][0] + _BOX[0] / 2, points[0][1]
    parts = [f"M{x:.1f} {y:.1f}"]
    for number, (next_x, next_y) in enumerate(points[1:], 1):
        last = number == len(points) - 1
        end_x = next_x - _BOX[0] / 2 - (6 if last else 0)
        middle = (x + end_x) / 2
        parts.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {next_y:.1f} {end_x:.1f} {next_y:.1f}")
        x, y = end_x, next_y
        if not last:
            x = next_x + _BOX[0] / 2
            parts.append(f"L{x:.1f} {y:.1f}")
    return "".join(parts)


def _node(number: int, node: NodeRecord, middle: Point) -> Markup:
    x, y = middle[0] - _BOX[0] / 2, middle[1] - _BOX[1] / 2
    health, fidelity = node.health or "not known", node.fidelity or "not compared"
    name = node.name if len(node.name) <= _LONGEST else node.name[: _LONGEST - 1] + "\u2026"
    return el(
        "a",
        el("title", f"{node.name}: {node.kind}, {health}, {fidelity}"),
        el("path", class_="shape", d=_shape(node.kind)),
        el("path", class_="stripe", d=f"M0 6v{_BOX[1] - 12:.0f}"),
        el("text", name, class_="name", x="12", y="18"),
        el("text", node.kind, class_="kind", x="12", y="32"),
        el("text", f"{SIGNS.get(node.health, '?')} {health}", class_="health", x="12", y="49"),
        el("text", fidelity, class_="fidelity", x=f"{_BOX[0] - 10:.0f}", y="49"),
        class_=f"node kind-{node.kind} health-{node.health or 'unknown'} is-{node.fidelity or 'unknown'}",
        transform=f"translate({x:.1f} {y:.1f})",
        href=f"#service-{number}",
        data_name=node.name,
        attributes={"aria-label": f"{node.name}, {node.kind}: {health}, {fidelity}"},
    )


def _shape(kind: str) -> str:
    """The outline of a box: a drum for what keeps data, a point for what lets in, plain for the rest."""
    w, h = _BOX
    if kind in {"database", "bucket", "cache"}:
        return f"M0 5Q{w / 2:.0f} -5 {w:.0f} 5V{h - 5:.0f}Q{w / 2:.0f} {h + 5:.0f} 0 {h - 5:.0f}Z"
    if kind == "gateway":
        return f"M0 0H{w - 8:.0f}L{w:.0f} {h / 2:.0f}L{w - 8:.0f} {h:.0f}H0Z"
    if kind == "queue":
        return f"M0 0H{w:.0f}L{w - 6:.0f} {h / 2:.0f}L{w:.0f} {h:.0f}H0L6 {h / 2:.0f}Z"
    r = 14 if kind in {"mock", "external"} else 4
    corners = ((w, 0, w, r), (w, h, w - r, h), (0, h, 0, h - r), (0, 0, r, 0))
    sides = (f"H{w - r:.0f}", f"V{h - r:.0f}", f"H{r}", f"V{r}")
    turns = (
        f"{side}Q{x:.0f} {y:.0f} {to_x:.0f} {to_y:.0f}" for side, (x, y, to_x, to_y) in zip(sides, corners, strict=True)
    )
    return f"M{r} 0{''.join(turns)}Z"
