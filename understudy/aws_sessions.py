"""Sessions of boto3: what answers them is held to be AWS, and what botocore reads of its models is read but once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from understudy.aws_answers import hold_answers

if TYPE_CHECKING:
    from boto3 import Session

__all__ = ["made_session"]


def made_session(*, profile: str = "", region: str = "") -> Session:
    """A session whose clients refuse what is no answer of AWS's.

    All sessions of a process share what is read of the models of services: of S3's alone that takes 0.06 s of a
    processor, and a command may have three clients of it.

    Args:
        profile: of the AWS settings; "": the one that is looked for where the SDK looks, as is the region.
        region: its name.

    Raises:
        ImportError: boto3 is missing.
        botocore.exceptions.BotoCoreError: the settings cannot be read, or have no such profile.
    """
    import boto3
    from botocore.session import get_session

    core = get_session()
    if profile:
        core.set_config_variable("profile", profile)
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    session = boto3.Session(botocore_session=core, region_name=region or None)
    hold_answers(session)
    return session


@cache
def _loader(path: str | None) -> Any:  # noqa: ANN401 - botocore has no types
    """What reads models, and keeps what it has read; `path` is where a user has further ones."""
    from botocore.loaders import create_loader

    return create_loader(path)
