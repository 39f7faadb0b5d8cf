"""The CLI's event log: its lines become typed events, and a record of what the operation came to."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from understudy.engine.events import (
    Diagnostic,
    EngineEvent,
    Listener,
    Op,
    ResourceDone,
    ResourceFailed,
    ResourceStarted,
    Summary,
)
from understudy.engine.interface import PreviewStep, Seen

__all__ = ["ROOT", "EventLog", "Record", "parse", "plain", "preview_step", "seen"]

ROOT = "pulumi:pulumi:Stack"
"""The type of the resource that every stack has, which carries the stack's outputs."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the engine's public mark of a secret (sdk/go/common/resource/sig)
_COLOUR = re.compile(r"<\{%.*?%\}>")
_QUOTED = 200
"""Characters of a malformed line in the warning about it."""


def parse(raw: Mapping[str, Any], at: float) -> EngineEvent | None:
    """One engine event (apitype.EngineEvent of the CLI) as a typed one; None for kinds nobody needs.

    Args:
        raw: The decoded line.
        at: When it was read, in seconds since the epoch.

    Raises:
        ValueError: it has not the shape of an engine event.
    """
    try:
        if body := raw.get("resourcePreEvent"):
            return ResourceStarted(at, *_subject(body))
        if body := raw.get("resOutputsEvent"):
            new = body["metadata"].get("new") or {}
            done = ResourceDone(at, *_subject(body), outputs=plain(new.get("outputs") or {}))
            return None if body.get("planning") else done
        if body := raw.get("resOpFailedEvent"):
            return ResourceFailed(at, *_subject(body))
        if body := raw.get("diagnosticEvent"):
            return _diagnostic(body, at)
        if body := raw.get("summaryEvent"):
            changes = {str(op): int(count) for op, count in (body.get("resourceChanges") or {}).items()}
            return Summary(at, changes, float(body.get("durationSeconds", 0)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not an engine event: {error!r}") from error
    return None


def preview_step(raw: Mapping[str, Any]) -> PreviewStep | None:
    """The step that a `resourcePreEvent` of a preview announces; None for any other event."""
    metadata = (raw.get("resourcePreEvent") or {}).get("metadata")
    if not metadata:
        return None
    detailed = metadata.get("detailedDiff") or {}
    diff = {str(path): str(kind.get("diffKind", "update")) for path, kind in detailed.items()}
    return PreviewStep(str(metadata["op"]), str(metadata["urn"]), diff)


def seen(raw: Mapping[str, Any]) -> Seen | None:
    """What a preview of a refresh says of a provider's resource; None for any other event and resource."""
    metadata = (raw.get("resOutputsEvent") or {}).get("metadata") or {}
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    if not old.get("custom") or str(metadata["type"]).startswith("pulumi:"):
        return None
    now = (
        (plain(new.get("inputs") or {}), plain(new.get("outputs") or {}))
        if new and metadata["op"] != "delete"
        else None
    )
    inputs, outputs = plain(old.get("inputs") or {}), plain(old.get("outputs") or {})
    return Seen(str(metadata["urn"]), str(metadata["type"]), str(old.get("id") or ""), inputs, outputs, now)


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A property value as plain JSON data, with each secret as the text `[secret]`."""
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return "[secret]"
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _subject(body: Mapping[str, Any]) -> tuple[str, str, Op]:
    metadata = body["metadata"]
    op = str(metadata["op"])
    known = op in Op._value2member_map_
    return str(metadata["urn"]), str(metadata["type"]), Op(op) if known else Op.OTHER


def _diagnostic(body: Mapping[str, Any], at: float) -> Diagnostic | None:
    severity = str(body["severity"]).partition("#")[0]
    message = _COLOUR.sub("", str(body["message"])).strip()
    if severity == "debug" or not message:
        return None
    return Diagnostic(at, severity, message, str(body.get("urn") or ""))


class Record:
    """What an operation came to, gathered from its events."""

    def __init__(self) -> None:
        self.outputs: dict[str, object] = {}
        self.changes: dict[str, int] = {}
        self.failed: ResourceFailed | None = None
        self.errors: list[Diagnostic] = []
        self.steps: list[PreviewStep] = []
        self.seen: list[Seen] = []

    def add(self, event: EngineEvent) -> None:
        """Take one event into account."""
        match event:
            case ResourceFailed() if self.failed is None:
                self.failed = event
            case ResourceDone(type=kind, outputs=outputs) if kind == ROOT:
                self.outputs = dict(outputs)
            case Diagnostic(severity="error"):
                self.errors.append(event)
            case Summary():
                self.changes = dict(event.changes)

    def reason(self, urn: str) -> str:
        """What was said about a resource that failed."""
        said = [error.message for error in self.errors if error.urn == urn]
        return "; ".join(dict.fromkeys(said))

    @property
    def text(self) -> str:
        """All error messages."""
        return "\n".join(error.message for error in self.errors)

    @property
    def blamed(self) -> str:
        """The URN of the resource that failed first, or of which an error speaks; "" if none."""
        if self.failed is not None:
            return self.failed.urn
        named = (error.urn for error in self.errors if error.urn and f"::{ROOT}::" not in error.urn)
        return next(named, "")


class EventLog:
    """Follows an event log while the CLI writes it, in the thread of the caller; nothing in a line can stop it.

    Resources that fail once `stop` is set were cancelled: the listener hears of them, the record does not count them.
    """

    def __init__(
        self, path: Path, listener: Listener, stop: threading.Event | None = None, *, looking: bool = False
    ) -> None:
        self.record = Record()
        self._looking = looking
        self._stop = stop or threading.Event()
        self._path = path
        self._listener = listener
        self._offset = 0
        self._rest = b""

    def pump(self) -> bool:
        """Hand on what was written since the last time; True once a resource has failed."""
        for line in self._lines():
            self.take(line)
        return self.record.failed is not None

    def finish(self) -> None:
        """Hand on all the rest; a last line without its end counts as a line."""
        self.pump()
        rest, self._rest = self._rest, b""
        if rest.strip():
            self.take(rest)

    def take(self, line: bytes) -> None:
        """Hand on one line; a malformed one becomes a warning."""
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError) as error:
            self._malformed(line.decode("utf-8", "replace"), error)
        else:
            self.take_event(raw)

    def take_event(self, raw: Any) -> None:  # noqa: ANN401 - any JSON value, checked here
        """Hand on one decoded event; what is none becomes a warning."""
        try:
            step, event = preview_step(raw), parse(raw, time.time())
            found = seen(raw) if self._looking else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._malformed(repr(raw), error)
            return
        if step is not None:
            self.record.steps.append(step)
        if found is not None:
            self.record.seen.append(found)
        if event is not None:
            self._hand_on(event)

    def _malformed(self, text: str, error: Exception) -> None:
        message = f"A line of the event log is no event ({error}): {text[:_QUOTED]}"
        self._hand_on(Diagnostic(time.time(), "warning", message))

    def _hand_on(self, event: EngineEvent) -> None:
        if not (isinstance(event, ResourceFailed) and self._stop.is_set()):
            self.record.add(event)
        self._listener(event)

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                data = log.read()
        except FileNotFoundError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from (line for line in lines if line.strip())
