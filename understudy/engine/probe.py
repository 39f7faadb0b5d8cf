"""Whether the three-process path answers with a CLI: tried once for each CLI by an empty life cycle, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from understudy.engine.commands import Commands
from understudy.engine.errors import CliUnsupportedError, EngineError
from understudy.engine.interface import StackRef
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.engine.workdir import work_folder
from understudy.errors import ToolError

__all__ = ["Probe", "probe"]

_REF = StackRef("understudy-probe", "probe")


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of a CLI.

    Attributes:
        version: Such as `3.200.0`.
        three_process: Whether the three-process path answers.
        reason: Why it does not.
        settled: Another try would come to the same, so it is remembered.
    """

    version: str
    three_process: bool
    reason: str = ""
    settled: bool = True


def probe(settings: EngineSettings) -> Probe:
    """The probe's result for the CLI of the settings, from the state folder if that very binary was probed before.

    Raises:
        ToolError: the CLI does not start or does not say its version.
    """
    memory = _memory(settings)
    if memory is not None and (known := _recall(memory)) is not None:
        return known
    found = _try(settings, _version(settings))
    if memory is not None and found.settled:
        with suppress(OSError):  # it is only a memory
            _remember(memory, found)
    return found


def _version(settings: EngineSettings) -> str:
    with work_folder() as folder:
        done = Commands(settings).call(folder, "version")
    match = re.fullmatch(r"v?(\d+\.\d+\.\d+\S*)", done.stdout.strip())
    if done.code != 0 or match is None:
        said = (done.stderr or done.stdout).strip()[:200]
        raise ToolError(
            f"Asked the Pulumi CLI at {settings.cli} for its version; it said {said!r} and exited with {done.code}.",
            hint="Pulumi 3.200 or newer is needed; `understudy doctor` says which CLI is used.",
        )
    return match[1]


def _try(settings: EngineSettings, version: str) -> Probe:
    def program() -> None:
        import pulumi

        pulumi.export("answer", 1)

    with work_folder() as folder:
        backend = folder / "backend"
        backend.mkdir()
        engine = PulumiEngine(
            EngineSettings(settings.cli, settings.state, backend.as_uri(), passphrase="probe")  # noqa: S106 - it protects nothing
        )
        try:
            outputs = engine.up(_REF, program).outputs
            engine.destroy(_REF)
        except EngineError as error:
            settled = isinstance(error, CliUnsupportedError)
            return Probe(version, three_process=False, reason=str(error), settled=settled)
        if dict(outputs) != {"answer": 1} or not engine.absent(_REF):
            return Probe(version, three_process=False, reason=f"an empty life cycle came to {dict(outputs)}")
    return Probe(version, three_process=True)


def _memory(settings: EngineSettings) -> Path | None:
    """Where the result is kept: a name that changes with the binary. None: there is no such file."""
    try:
        path = settings.cli.resolve(strict=True)
        facts = path.stat()
    except OSError:
        return None
    name = hashlib.sha256(os.fsencode(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}")).hexdigest()[:24]
    return settings.state / "probes" / f"{name}.json"


def _recall(memory: Path) -> Probe | None:
    try:
        return Probe(**json.loads(memory.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _remember(memory: Path, found: Probe) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, staged = tempfile.mkstemp(dir=memory.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(asdict(found), out)
    Path(staged).replace(memory)
