"""One delivery to S3: each file an object that is checked on arrival and looked at again, the manifest last."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.export.sinks.budget import Budget
from understudy.export.sinks.contents import (
    MANIFEST,
    find_contents,
    key_of,
    media_type,
    read_exactly,
    whole_digest,
)
from understudy.export.sinks.interface import Delivery, SinkError, Stage
from understudy.export.sinks.s3_address import S3Address
from understudy.export.sinks.s3_errors import THREADS, sink_error
from understudy.export.sinks.side_by_side import side_by_side

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["Sending"]

_MOST_PARTS = 10_000
_RUN = "run.json"
_CLAIM = "understudy-run"
"""The metadata by which an object is known as this run's; `sha256`: of the whole file."""


@dataclass(frozen=True, slots=True)
class _Object:
    """A file as it was sent."""

    path: str
    key: str
    size: int
    digest: bytes


class Sending:
    """One delivery to one bucket. `taken`, key -> SHA-256, is what the bucket has already; it grows."""

    def __init__(
        self,
        client: S3Client,
        address: S3Address,
        delivery: Delivery,
        budget: Budget,
        *,
        part: int,
        taken: dict[str, bytes],
    ) -> None:
        self.client = client
        self.address = address
        self.part = part
        self.taken = taken
        self.delivery = delivery
        self.budget = budget
        self.run = delivery.folder.name
        self.claim = _claim(delivery.folder)
        self.sent: dict[str, _Object] = {}
        self.returning = False

    def all(self) -> None:
        """Send every file, `run.json` first and, of a final delivery, the manifest last.

        Raises:
            SinkError: a file did not get there whole.
            OSError: the folder cannot be read.
            ValueError: its record cannot be.
        """
        contents = find_contents(self.delivery.folder)
        self._hold_own()
        first = [path for path in contents if path == _RUN]
        rest = [path for path in contents if path != _RUN]
        side_by_side(self._file, first, threads=1)
        side_by_side(self._file, rest, threads=THREADS)
        if self.delivery.stage is Stage.FINAL:
            self._manifest()

    def _hold_own(self) -> None:
        """Hold that what lies below the prefix already, if anything, is of this very run."""
        key = self.address.key(self.run, _RUN)
        found = self._head(key)
        if found is None:
            return
        if found["Metadata"].get(_CLAIM) != self.claim:
            raise SinkError(f"Looked at {self.address}/{self.run}, and another run lies there; nothing was overwritten")
        self.returning = True

    def _file(self, path: str) -> None:
        """Send a file as it is now; one that changes meanwhile is taken anew."""
        key = self.address.key(self.run, key_of(path))
        place = self.delivery.folder / path

        def once() -> _Object:
            try:
                size = place.stat().st_size
                data = read_exactly(place, 0, size) if size <= self.part else None
                digest = whole_digest(place, size) if data is None else hashlib.sha256(data).digest()
                made = _Object(path, key, size, digest)
                if self.taken.get(key) == digest or (self.returning and self._lies_there(made)):
                    return made
                if data is None:
                    self._put_parts(made, place)
                else:
                    self._put_whole(made, data)
            except OSError as error:
                raise SinkError(f"Read {path}: {error}", again=True) from error
            return made

        made = self.budget.run(once, again=_again)
        self.taken[key] = made.digest
        self.sent[path] = made

    def _manifest(self) -> None:
        files = [
            {"path": each.path, "key": each.key, "size": each.size, "sha256": each.digest.hex()}
            for each in sorted(self.sent.values(), key=lambda each: each.path)
        ]
        data = json.dumps({"schema": 1, "run": self.run, "files": files}, indent=1).encode("ascii")
        key = self.address.key(self.run, MANIFEST)
        made = _Object(MANIFEST, key, len(data), hashlib.sha256(data).digest())
        if not (self.returning and self._lies_there(made)):
            self.budget.run(lambda: self._put_whole(made, data), again=_again)

    def _put_whole(self, made: _Object, data: bytes) -> None:
        checksum = _text(made.digest)
        sha256 = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum}
        self._ask("put_object", made.key, Body=data, **sha256, **self._described(made))
        self._verify(made, checksum)

    def _put_parts(self, made: _Object, path: Path) -> None:
        """Send a file in parts; what was begun and not completed is taken back, for it would be paid for unseen."""
        part = max(self.part, -(-made.size // _MOST_PARTS))
        begun = self._ask("create_multipart_upload", made.key, ChecksumAlgorithm="SHA256", **self._described(made))
        upload = begun["UploadId"]
        try:
            parts, digests = [], hashlib.sha256()
            whole = hashlib.sha256()
            for number, offset in enumerate(range(0, made.size, part), start=1):
                data = read_exactly(path, offset, min(part, made.size - offset))
                whole.update(data)
                digest = hashlib.sha256(data).digest()
                digests.update(digest)
                named = {"PartNumber": number, "ChecksumSHA256": _text(digest)}
                answer = self._ask("upload_part", made.key, UploadId=upload, Body=data, **named)
                parts.append({**named, "ETag": answer["ETag"]})
            if whole.digest() != made.digest:
                raise SinkError(f"Read {made.path}, and it changed meanwhile", again=True)  # noqa: TRY301 - ends the upload too
            with contextlib.suppress(_GoneUploadError):  # completed before, by a try whose answer was lost
                self._ask("complete_multipart_upload", made.key, UploadId=upload, MultipartUpload={"Parts": parts})
            self._verify(made, _text(digests.digest()))
        except BaseException:
            with contextlib.suppress(Exception):
                self.client.abort_multipart_upload(Bucket=self.address.bucket, Key=made.key, UploadId=upload)
            raise

    def _described(self, made: _Object) -> dict[str, Any]:
        return {
            "ContentType": media_type(made.path),
            "Metadata": {_CLAIM: self.claim, "sha256": made.digest.hex()},
            **self.address.encrypted(),
        }

    def _verify(self, made: _Object, checksum: str) -> None:
        """Look at what arrived: its size, and the checksum that S3 made of it; without one, at all its bytes."""
        found = self._head(made.key)
        if found is None:
            raise SinkError(f"Sent {made.path}, looked again, and it is not there", again=True)
        if found["ContentLength"] != made.size:
            size = found["ContentLength"]
            raise SinkError(f"Sent {made.path}, looked again, and it has {size} bytes, not {made.size}", again=True)
        there = str(found.get("ChecksumSHA256") or "").partition("-")[
            0
        ]  # of a file in parts: their digests' digest, `-N`
        same = there == checksum if there else self._read_back(made.key) == made.digest
        if not same:
            raise SinkError(f"Sent {made.path}, looked again, and its SHA-256 is another", again=True)

    def _read_back(self, key: str) -> bytes:
        digest = hashlib.sha256()
        try:
            for chunk in self._ask("get_object", key)["Body"].iter_chunks(1 << 20):
                digest.update(chunk)
        except SinkError:
            raise
        except Exception as error:
            raise sink_error(f"Read {key} back", error) from error
        return digest.digest()

    def _lies_there(self, made: _Object) -> bool:
        found = self._head(made.key)
        return (
            found is not None
            and found["ContentLength"] == made.size
            and found["Metadata"].get(_CLAIM) == self.claim
            and found["Metadata"].get("sha256") == made.digest.hex()
        )

    def _head(self, key: str) -> Any:  # noqa: ANN401 - what boto3 answers
        try:
            return self._ask("head_object", key, ChecksumMode="ENABLED")
        except SinkError as error:
            if error.code in {"404", "NoSuchKey"}:
                return None
            raise

    def _ask(self, verb: str, key: str, **arguments: Any) -> Any:  # noqa: ANN401 - what boto3 takes and answers
        """One request, tried again while that may help; then it has failed for good."""
        request: Callable[..., Any] = getattr(self.client, verb)

        def once() -> Any:  # noqa: ANN401 - as above
            if self.budget.left() <= 0:
                raise SinkError(f"{verb} {key}: {self.budget.spent()}")
            try:
                return request(Bucket=self.address.bucket, Key=key, **arguments)
            except Exception as error:
                raise sink_error(f"{verb} {key}", error) from error

        try:
            return self.budget.run(once, again=_again)
        except SinkError as error:
            kind = _GoneUploadError if error.code == "NoSuchUpload" else SinkError
            raise kind(str(error), code=error.code) from error


class _GoneUploadError(SinkError):
    """S3 does not know the upload: it was completed, or taken back."""


def _again(error: Exception) -> bool:
    return isinstance(error, SinkError) and error.again


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _claim(folder: Path) -> str:
    """By what a run is told from any other of the same id: which environment, where, of which commit, since when."""
    record = json.loads((folder / _RUN).read_text(encoding="utf-8"))
    told = [str(record.get(name, "")) for name in ("run", "environment", "target", "repository", "commit", "started")]
    return hashlib.sha256("\n".join(told).encode("utf-8", "backslashreplace")).hexdigest()
