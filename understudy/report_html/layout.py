"""A layered drawing of a directed graph without circles: who depends stands left, what it depends on right. Pure.

After Sugiyama, Tagawa and Toda (1981): layers by longest path, places for edges that pass a layer, fewer crossings by
barycentres. The same graph always gives the same drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Drawing", "Point", "draw"]

_SWEEPS = 8

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Name -> the middle of its box; (source, target) -> the points its line runs through; the size of all."""

    nodes: Mapping[str, Point]
    edges: Mapping[tuple[str, str], tuple[Point, ...]]
    width: float
    height: float


def draw(names: Sequence[str], edges: Iterable[tuple[str, str]], *, box: Point, gap: Point) -> Drawing:
    """The drawing of nodes of the same `box` (width, height) with a `gap` between them.

    An edge that closes a circle, or whose end is no node, is left out. Nodes without edges stand below the others.
    """
    known = set(names)
    wanted = [(a, b) for a, b in dict.fromkeys(edges) if a in known and b in known and a != b]
    layer = _layers(names, wanted)
    kept = [(a, b) for a, b in wanted if layer[a] < layer[b]]
    tied = {name for edge in kept for name in edge}
    rows, chains = _rows([name for name in names if name in tied], kept, layer)
    _untangle(rows, chains)
    step_x, step_y = box[0] + gap[0], box[1] + gap[1]
    height = max((len(row) for row in rows), default=0) * step_y
    places: dict[str, Point] = {}
    for number, row in enumerate(rows):
        top = (height - len(row) * step_y) / 2
        for index, name in enumerate(row):
            places[name] = (number * step_x + box[0] / 2, top + index * step_y + step_y / 2)
    columns = max(len(rows), 4)
    for index, name in enumerate([name for name in names if name not in tied]):
        column, line = index % columns, index // columns
        places[name] = (column * step_x + box[0] / 2, height + line * step_y + step_y / 2)
    lines = {(chain[0], chain[-1]): tuple(places[each] for each in chain) for chain in chains}
    nodes = {name: places[name] for name in names}
    return Drawing(
        nodes,
        lines,
        max((x + box[0] / 2 for x, _ in nodes.values()), default=0.0),
        max((y + step_y / 2 for _, y in nodes.values()), default=0.0),
    )


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Name -> how many steps lead to it at most. In a circle the layers end where all names have had their turn."""
    layer = dict.fromkeys(names, 0)
    for _ in names:
        moved = False
        for a, b in edges:
            if layer[b] <= layer[a] and layer[a] + 1 < len(names):
                layer[b], moved = layer[a] + 1, True
        if not moved:
            break
    return layer


def _rows(
    names: Sequence[str], edges: Sequence[tuple[str, str]], layer: Mapping[str, int]
) -> tuple[list[list[str]], list[tuple[str, ...]]]:
    """The nodes of each layer, with a place in each that an edge passes; and each edge as the chain of its places."""
    used = sorted({layer[name] for name in names})
    number = {each: index for index, each in enumerate(used)}
    rows: list[list[str]] = [[] for _ in used]
    for name in names:
        rows[number[layer[name]]].append(name)
    chains = []
    for a, b in edges:
        passed = [f"{a}\0{b}\0{index}" for index in range(number[layer[a]] + 1, number[layer[b]])]
        for index, name in enumerate(passed, number[layer[a]] + 1):
            rows[index].append(name)
        chains.append((a, *passed, b))
    return rows, chains


def _untangle(rows: list[list[str]], chains: Sequence[tuple[str, ...]]) -> None:
    """Order each layer by the middle of its neighbours', to the right and back, a fixed number of times."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for chain in chains:
        for a, b in pairwise(chain):
            after.setdefault(a, []).append(b)
            before.setdefault(b, []).append(a)
    for sweep in range(_SWEEPS):
        ahead = sweep % 2 == 0
        neighbours, order = (before, rows[1:]) if ahead else (after, rows[-2::-1])
        place = {name: index - len(row) / 2 for row in rows for index, name in enumerate(row)}
        for row in order:
            middle = {
                name: sum(place[each] for each in found) / len(found)
                if (found := neighbours.get(name))
                else place[name]
                for name in row
            }
            row.sort(key=lambda name, middle=middle: middle[name])  # type: ignore[misc] # a default binds it now
            place.update({name: index - len(row) / 2 for index, name in enumerate(row)})
