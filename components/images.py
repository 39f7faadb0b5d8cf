"""Which image a service runs: a reference to find or pull, or the id of one that is built."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ImageRef"]


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image. `built`: `reference` is the id (`sha256:...`) of an image that the target has, used as it is."""

    reference: str
    built: bool = False
