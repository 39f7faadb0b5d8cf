"""Where the engine keeps its things: the CLI, a private Pulumi home, the backend of the state and its passphrase."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from understudy.errors import ToolError, UsageError

__all__ = ["EngineSettings", "absolute_backend", "file_backend", "state_folder"]

_KEPT = frozenset({"PULUMI_ACCESS_TOKEN", "PULUMI_DEBUG_GRPC"})
"""Variables of the caller's Pulumi that reach our CLI processes; any other could change what a verb does."""

_ALWAYS = {
    "PULUMI_AUTOMATION_API": "true",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_DEBUG_COMMANDS": "true",  # without it there is no --event-log
    "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
    "PULUMI_DIY_BACKEND_NO_LEGACY_WARNING": "true",
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",  # each verb has a fresh work folder
    "PULUMI_SUPPRESS_COPILOT_LINK": "true",
    "NO_COLOR": "1",
}


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """`$XDG_STATE_HOME/understudy`, or `~/.local/state/understudy` (XDG Base Directory: a relative path is ignored)."""
    named = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"
    return base / "understudy"


def file_backend(url: str) -> Path | None:
    """The folder of a `file://` backend; None for any other backend."""
    parts = urlsplit(url)
    return Path(unquote(parts.netloc + parts.path)).expanduser() if parts.scheme == "file" else None


def absolute_backend(url: str, base: Path) -> str:
    """The URL with the relative folder of a `file://` backend taken from `base`; any other as it is.

    CLI processes run in a work folder that is removed, and would take it from there.
    """
    folder = file_backend(url)
    if folder is None or folder.is_absolute():
        return url
    query = urlsplit(url).query
    return Path(os.path.normpath(base.absolute() / folder)).as_uri() + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What every CLI process is given.

    Attributes:
        cli: The Pulumi CLI.
        state: The folder for all that is ours: home, backend, passphrase, probe results.
        backend: URL of the backend.
        passphrase: The passphrase, when the environment gave it as a value.
        passphrase_file: The file that holds it, otherwise; None with a secrets provider.
        secrets_provider: What encrypts the secrets of new stacks, as `pulumi stack init` takes it; "": the passphrase.
    """

    cli: Path
    state: Path
    backend: str
    passphrase: str | None = None
    passphrase_file: Path | None = None
    secrets_provider: str = ""

    @classmethod
    def from_environment(
        cls, cli: Path, environ: Mapping[str, str] | None = None, *, secrets_provider: str = ""
    ) -> EngineSettings:
        """The settings that the environment names, and our own where it names none.

        Honoured: PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE,
        UNDERSTUDY_SECRETS_PROVIDER, XDG_STATE_HOME. Relative paths are those of the current folder.

        Raises:
            UsageError: another backend is named, and neither a passphrase nor a secrets provider.
        """
        given = os.environ if environ is None else environ
        state = state_folder(given)
        own = (state / "backend").as_uri()
        backend = absolute_backend(given.get("PULUMI_BACKEND_URL") or own, Path.cwd())
        provider = secrets_provider or given.get("UNDERSTUDY_SECRETS_PROVIDER", "")
        passphrase = given.get("PULUMI_CONFIG_PASSPHRASE")
        named = given.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        file = Path(named).expanduser().absolute() if named and passphrase is None else None
        if backend != own and passphrase is None and file is None and not provider:
            raise UsageError(
                f"The backend {_without_credentials(backend)} was named, and no passphrase for its secrets.",
                hint="Set PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE or UNDERSTUDY_SECRETS_PROVIDER.",
            )
        if backend == own and passphrase is None and file is None and not provider:
            file = state / "passphrase"
        return cls(cli, state, backend, passphrase, file, provider)

    @property
    def home(self) -> Path:
        """The private Pulumi home."""
        return self.state / "home"

    @property
    def backend_folder(self) -> Path | None:
        """The folder of a `file://` backend; None for any other."""
        return file_backend(self.backend)

    def prepare(self) -> None:
        """Make the folders and the passphrase file that are ours, with modes 0700 and 0600; again and again.

        Raises:
            UsageError: they cannot be made or read.
        """
        own = self.backend == (self.state / "backend").as_uri()
        try:
            for folder in (self.state, self.home, *([self.state / "backend"] if own else [])):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.passphrase_file == self.state / "passphrase":
                _make_passphrase(self.passphrase_file)
        except OSError as error:
            raise UsageError(
                f"Made the folder of Understudy's state, {self.state}, and it failed: {error}.",
                hint="Name another with XDG_STATE_HOME.",
            ) from error

    def environment(
        self, attach: Mapping[str, int] | None = None, environ: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The whole environment of a CLI process; `attach` maps provider names to ports on 127.0.0.1."""
        given = os.environ if environ is None else environ
        made = {key: value for key, value in given.items() if not key.startswith("PULUMI_") or key in _KEPT}
        made |= _ALWAYS | self._shared() | {"PULUMI_BACKEND_URL": _without_sidecars(self.backend)}
        if self.passphrase is not None:
            made["PULUMI_CONFIG_PASSPHRASE"] = self.passphrase
        if not attach:
            del made["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"]  # a published plugin has to come from somewhere
        else:
            made["PULUMI_DEBUG_PROVIDERS"] = ",".join(f"{name}:{port}" for name, port in sorted(attach.items()))
        return made

    def shell_exports(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a shell has to export so that plain `pulumi` shares our CLI, home, backend and passphrase file.

        A passphrase that the environment gave as a value is there already, and is never repeated.
        """
        path = (os.environ if environ is None else environ).get("PATH", "")
        folder = str(self.cli.absolute().parent)
        rest = [part for part in path.split(os.pathsep) if part and part != folder]
        return {**self._shared(), "PATH": os.pathsep.join([folder, *rest])}

    def _shared(self) -> dict[str, str]:
        made = {"PULUMI_HOME": str(self.home), "PULUMI_BACKEND_URL": self.backend}
        if self.passphrase_file is not None:
            made["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self.passphrase_file)
        return made


def _make_passphrase(path: Path) -> None:
    """Whole or not at all, and once only: two processes at the same time end with the same passphrase."""
    if not path.exists():
        handle, staged = tempfile.mkstemp(dir=path.parent, prefix=".passphrase-")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(secrets.token_urlsafe(32))
                out.flush()
                os.fsync(out.fileno())
            os.link(staged, path)
        except FileExistsError:
            pass
        finally:
            Path(staged).unlink()
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    if not path.read_bytes():
        raise ToolError(
            f"The passphrase file {path} is empty.",
            hint="Restore it from a copy; without it the secrets of existing stacks cannot be read.",
        )


def _without_sidecars(url: str) -> str:
    """A `file://` backend into which no `.attrs` files are written beside the documents.

    They are written in place: a CLI that is killed at it leaves an empty one, and every listing of the backend then
    fails with `EOF` (setAttrs and getAttrs of gocloud.dev v0.37.0, blob/fileblob/attrs.go).
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or "metadata" in parse_qs(parts.query):
        return url
    return parts._replace(query="&".join(filter(None, [parts.query, "metadata=skip"]))).geturl()


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
