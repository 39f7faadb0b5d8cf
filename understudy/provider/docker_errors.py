"""The seam to Docker: every error of docker-py becomes one of ours here, saying what was tried on what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from understudy.errors import ProvisionError

__all__ = ["ConflictError", "GoneError", "docker", "reason"]

_CONFLICT = 409
"""The status with which Docker says that something of that name is there, or that an object is used."""


class GoneError(ProvisionError):
    """The object that was asked for is not there."""


class ConflictError(ProvisionError):
    """Docker refuses because of what is there: an object of that name, or one that uses it."""


@contextmanager
def docker(tried: str) -> Iterator[None]:
    """Map what docker-py, requests and urllib3 raise inside; `tried` is as `Creating container web`.

    Raises:
        GoneError: Docker says that the object is not there.
        ConflictError: Docker says that another one is in the way.
        ProvisionError: anything else failed.
    """
    try:
        yield
    except NotFound as error:
        raise GoneError(f"{tried} failed: {reason(error)}.") from error
    except DockerException as error:
        kind = ConflictError if isinstance(error, APIError) and error.status_code == _CONFLICT else ProvisionError
        raise kind(f"{tried} failed: {reason(error)}.") from error
    except (RequestException, HTTPError, OSError) as error:
        raise ProvisionError(
            f"{tried} failed: {reason(error)}.",
            hint="The Docker daemon did not answer in time: `docker info` says whether it does. Then try again.",
        ) from error


def reason(error: BaseException | None) -> str:
    """The daemon's own words, or the error's, without a full stop at the end."""
    text = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return str(text).strip().rstrip(".")
