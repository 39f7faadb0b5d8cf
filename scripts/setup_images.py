"""The example's base images: present, else pulled, else made from Debian's packages under their published names."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import debian_root
from machine import ROOT, Problem, can_install, run

__all__ = ["Image", "ensure", "missing", "read_manifest", "recipe"]

FOLDER = ROOT / "images"

PROBE, PROBE_LIMIT = "busybox:1.35", 20
"""The image of two megabytes whose pull tells whether a registry can be reached, and the seconds it may take."""

CACHE_LABEL, RECIPE_LABEL = "dev.understudy.cache", "dev.understudy.recipe"

CLASSIC = {"DOCKER_BUILDKIT": "0"}
"""The classic builder takes `FROM` from the daemon's own images without asking a registry."""


@dataclass(frozen=True)
class Image:
    """One base image: its published name, its folder in images/, and the image that it is made on."""

    tag: str
    recipe: str
    base: str = ""


def read_manifest(folder: Path = FOLDER) -> tuple[Image, ...]:
    """The images of `folder`/manifest.json, each after the one that it is made on."""
    return tuple(Image(**entry) for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


def recipe(image: Image, images: Iterable[Image], folder: Path = FOLDER) -> str:
    """A hash of all that an image of ours is made from: its folder, that of its base, the machine's certificates."""
    digest = hashlib.sha256()
    for path in sorted((folder / image.recipe).rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0{path.stat().st_mode & 0o111}\0".encode())
            digest.update(path.read_bytes() + b"\0")
    known = {other.tag: other for other in images}
    if image.base:
        digest.update(recipe(known[image.base], known.values(), folder).encode())
    else:
        for certificate in debian_root.certificates():
            digest.update(certificate.read_bytes())
    return digest.hexdigest()[:16]


def missing(images: Sequence[Image], inspected: Iterable[dict[str, object]], folder: Path = FOLDER) -> list[Image]:
    """The images that the daemon lacks, and those of our making whose recipe has changed since."""
    labels: dict[str, dict[str, str]] = {}
    for facts in inspected:
        config = facts.get("Config")
        found = config.get("Labels") if isinstance(config, dict) else None
        tags = facts.get("RepoTags")
        for tag in tags if isinstance(tags, list) else ():
            labels[tag] = found or {}

    def lacks(image: Image) -> bool:
        if image.tag not in labels:
            return True
        own = labels[image.tag]
        return own.get(CACHE_LABEL) == "base" and own.get(RECIPE_LABEL) != recipe(image, images, folder)

    return [image for image in images if lacks(image)]


def ensure(say: Callable[[str], None]) -> str:
    """Have every image of the manifest in the daemon; `say` is told of each that is pulled or made.

    Raises:
        Problem: an image can neither be pulled nor made.
    """
    images = read_manifest()
    lacking = missing(images, _inspect(images))
    if not lacking:
        return f"{len(images)} present"
    refused = _pull(PROBE, PROBE_LIMIT)
    for image in lacking:
        why = refused or _pull(image.tag, 900)
        if why:
            try:
                _make(image, images, why)
            except Problem as problem:
                raise Problem(f"{image.tag}: {problem}") from problem
        say(f"{image.tag} {'made from Debian packages' if why else 'pulled'}")
    return f"{len(lacking)} of {len(images)} had to be {'made' if refused else 'pulled'}"


def _inspect(images: Sequence[Image]) -> list[dict[str, object]]:
    command = ["docker", "image", "inspect", *(image.tag for image in images)]
    # It ends with 1 as soon as one is missing; what it found is printed all the same.
    asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return list(json.loads(asked.stdout or "[]"))


def _pull(tag: str, limit: float) -> str:
    try:
        run(("docker", "pull", "-q", tag), limit=limit)
    except Problem as problem:
        return str(problem)
    return ""


def _make(image: Image, images: Sequence[Image], why: str) -> None:
    labels = {CACHE_LABEL: "base", RECIPE_LABEL: recipe(image, images)}
    if not image.base:
        if not can_install():
            raise Problem(f"it cannot be pulled ({why}), and only root on Debian can make it from packages")
        debian_root.make(image.tag, FOLDER / image.recipe, labels)
        return
    with tempfile.TemporaryDirectory(prefix="understudy-image-") as scratch:
        context = Path(scratch) / "context"
        shutil.copytree(FOLDER / image.recipe, context)
        if image.recipe == "wiremock" and shutil.which("mvn"):
            _fetch_jar(context, image.tag.rpartition(":")[2])
        flags = [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
        command = ["docker", "build", "-q", "--force-rm", *flags, "-t", image.tag, str(context)]
        run(command, limit=900, environment=CLASSIC)


def _fetch_jar(context: Path, version: str) -> None:
    """With the machine's own Maven, where it is: a builder stage would install one first, which takes half a minute."""
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy"
    artifact = f"-Dartifact=org.wiremock:wiremock-standalone:{version}"
    run(
        ("mvn", "-q", "-B", goal, artifact, f"-DoutputDirectory={context}", "-Dmdep.stripVersion=true"),
        limit=300,
        folder=context,
    )
