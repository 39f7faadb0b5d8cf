"""What opens Pulumi's state, a cloud or the CI is no variable of a commit's document, unless it is given."""

from __future__ import annotations

import pytest

from understudy.documents import Documents


@pytest.mark.parametrize(
    "name",
    [
        *("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "CI_JOB_TOKEN"),
    ],
)
def test_a_commit_cannot_interpolate_what_opens_the_state(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "opens-the-state")
    monkeypatch.setenv("TAG", "1.4")
    found = Documents().variables(lambda _: None)
    assert name not in found
    assert found["TAG"] == "1.4"
    assert Documents(given=(f"{name}=for-the-clone",)).variables(lambda _: None)[name] == "for-the-clone"
