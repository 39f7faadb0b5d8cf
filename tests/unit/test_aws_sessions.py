"""Sessions of boto3: what is read of its models is read once, and a profile is one of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ProfileNotFound
from botocore.loaders import JSONFileLoader
from s3_server import credentials

from understudy.aws_sessions import made_session


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in credentials("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    settings = tmp_path / "config"
    settings.write_text("[profile there]\nregion = eu-north-1\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))


def test_what_one_session_has_read_of_a_service_no_other_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = JSONFileLoader.load_file

    def noted(self: JSONFileLoader, path: str) -> Any:
        read.append(path)
        return load(self, path)

    first = made_session().client("s3")
    monkeypatch.setattr(JSONFileLoader, "load_file", noted)
    second = made_session(region="eu-west-2").client("s3")
    assert read == []
    assert [each.meta.region_name for each in (first, second)] == ["eu-west-1", "eu-west-2"]


def test_a_profile_is_taken_from_the_settings_and_one_that_is_not_there_is_refused() -> None:
    assert made_session(profile="there", region="").profile_name == "there"
    with pytest.raises(ProfileNotFound, match="elsewhere"):
        made_session(profile="elsewhere")
