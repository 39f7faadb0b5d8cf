"""debian:bookworm-slim without a registry: debootstrap, the machine's certificates, no documents, one import."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from machine import Problem, install, run

__all__ = ["certificates", "make"]

CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""Where Debian keeps the certificates that a machine's owner added; builds behind a proxy need them too."""

SUITE = "bookworm"
PACKAGES = "ca-certificates,curl"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PLACES = (
    ("dpkg.cfg", "etc/dpkg/dpkg.cfg.d/understudy", 0o644),
    ("apt.conf", "etc/apt/apt.conf.d/90understudy", 0o644),
    ("policy-rc.d", "usr/sbin/policy-rc.d", 0o755),
)

EMPTIED = ("usr/share/info", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt", "var/log")
"""Folders whose content is not needed in an image: what the package tools make again, and what nobody reads there."""


def certificates() -> list[Path]:
    """The certificates that this machine's owner added."""
    return sorted(CERTIFICATES.glob("*.crt"))


def make(tag: str, folder: Path, labels: Mapping[str, str]) -> None:
    """Make the image `tag` with the configuration files in `folder`.

    Raises:
        Problem: a package or a mirror cannot be reached, or Docker refuses the import.
    """
    if not shutil.which("debootstrap"):
        install("debootstrap")
    # Not /tmp: a root file system needs device files, which many machines forbid there.
    root = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="understudy-debian-"))
    try:
        root.chmod(0o755)
        run(("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)), limit=900)
        _configure(root, folder)
        _trim(root)
        _import(root, tag, labels)
    finally:
        _remove(root)


def _configure(root: Path, folder: Path) -> None:
    for name, place, mode in PLACES:
        target = root / place
        shutil.copyfile(folder / name, target)
        target.chmod(mode)
    for certificate in certificates():
        shutil.copy(certificate, root / CERTIFICATES.relative_to("/") / certificate.name)
    run(("chroot", str(root), "update-ca-certificates"), limit=120)


def _trim(root: Path) -> None:
    for place in EMPTIED:
        for entry in (root / place).iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    for path in (root / "usr/share/doc").rglob("*"):
        if path.is_file() and path.name != "copyright":
            path.unlink()
    # The section folders stay: packages register links in them when they are configured.
    for page in (root / "usr/share/man").rglob("*"):
        if not page.is_dir() or page.is_symlink():
            page.unlink()
    for name in ("etc/resolv.conf", "etc/hostname"):
        (root / name).unlink(missing_ok=True)


def _import(root: Path, tag: str, labels: Mapping[str, str]) -> None:
    changes = [f"ENV PATH={SEARCH_PATH}", 'CMD ["bash"]', *(f"LABEL {name}={value}" for name, value in labels.items())]
    flags = [part for change in changes for part in ("-c", change)]
    made, problem = _pipe(("tar", "-C", str(root), "--numeric-owner", "-c", "."), ("docker", "import", *flags, "-"))
    if problem:  # half of a root file system must not get the name
        if made:
            run(("docker", "rmi", "--", made), limit=60)
        raise Problem(problem)
    run(("docker", "tag", "--", made, tag), limit=60)


def _pipe(first: Sequence[str], second: Sequence[str]) -> tuple[str, str]:
    """What the second says of what the first gives it, and what went wrong with either; "": nothing."""
    with (
        subprocess.Popen(first, stdout=subprocess.PIPE) as source,
        subprocess.Popen(second, stdin=source.stdout, stdout=subprocess.PIPE, text=True) as sink,
    ):
        if source.stdout is not None:
            source.stdout.close()  # so that the first one ends when the second does
        said, _ = sink.communicate()
    if source.returncode or sink.returncode:
        codes = f"{source.returncode} and {sink.returncode}"
        return said.strip(), f"`{first[0]} | {' '.join(second[:2])}` failed with {codes}"
    return said.strip(), ""


def _remove(root: Path) -> None:
    """Remove the tree; what a stopped debootstrap left mounted below it goes first, or its content would go too."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    for place in sorted((point for point in mounted if point.startswith(f"{root}/")), reverse=True):
        run(("umount", place), limit=30)
    shutil.rmtree(root, ignore_errors=True)
