from __future__ import annotations

from pathlib import Path

import pytest

from understudy.errors import UsageError
from understudy.option_values import seconds
from understudy.options import Options, Origin, find_config, resolve, specs


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    config = tmp_path / "understudy.toml"
    config.write_text('profile = "file"\nbind = "10.0.0.1"\nttl = "2h"\n')
    variables = {"UNDERSTUDY_PROFILE": "environment", "UNDERSTUDY_BIND": "10.0.0.2"}
    options = resolve({"profile": "flag", "commit": None}, variables, config)
    assert (options.profile, options.bind, options.ttl, options.commit) == ("flag", "10.0.0.2", 7200.0, "HEAD")
    assert options.origins["profile"] is Origin.FLAG
    assert options.origins["bind"] is Origin.ENVIRONMENT
    assert options.origins["ttl"] is Origin.FILE
    assert options.origins["commit"] is Origin.DEFAULT


def test_every_option_has_help_a_variable_and_a_default_that_it_takes_itself() -> None:
    for spec in specs():
        assert spec.help.endswith(".")
        assert spec.variable == f"UNDERSTUDY_{spec.name.upper()}"
        if spec.default is not None:
            assert getattr(resolve({spec.name: spec.default}, {}, None), spec.name) == spec.default


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), (12, 12)])
def test_durations(text: object, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-1s", "0", "1w", True, "1 h 5"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("flags", "variables", "says"),
    [
        ({"ttl": "soon"}, {}, "--ttl"),
        ({}, {"UNDERSTUDY_WORKERS": "0"}, "UNDERSTUDY_WORKERS"),
        ({}, {"UNDERSTUDY_FAIL_FAST": "perhaps"}, "UNDERSTUDY_FAIL_FAST"),
        ({"progress": "loud"}, {}, "auto, live, plain, json"),
        ({"commit": "a\0b"}, {}, "NUL"),
    ],
)
def test_a_bad_value_names_where_it_was_given(flags: dict[str, object], variables: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        resolve(flags, variables, None)


def test_a_file_with_an_unknown_key_or_no_toml_is_named(tmp_path: Path) -> None:
    config = tmp_path / "understudy.toml"
    config.write_text("profil = 'x'\n")
    with pytest.raises(UsageError, match=r"no option 'profil'.*\n.*profile"):
        resolve({}, {}, config)
    config.write_text("profile =\n")
    with pytest.raises(UsageError, match="no TOML"):
        resolve({}, {}, config)


def test_the_file_is_looked_for_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "understudy.toml").write_text("")
    (tmp_path / "repository" / ".git").mkdir()
    assert find_config(inner) is None
    (tmp_path / "repository" / "understudy.toml").write_text("")
    assert find_config(inner) == tmp_path / "repository" / "understudy.toml"


def test_defaults_are_the_documented_ones() -> None:
    options = Options()
    assert (options.bind, options.ttl, options.max_ttl, options.fail_fast) == ("127.0.0.1", 3600, 86400, True)


def test_a_bad_value_of_an_option_that_is_given_several_times_is_named_as_it_was_given() -> None:
    with pytest.raises(UsageError, match="Read --set: 'A=1', 'B' is not NAME=VALUE"):
        resolve({"set": ("A=1", "B")}, {}, None)


@pytest.mark.parametrize(
    ("flags", "file", "expected"),
    [
        ({}, "", 1),
        ({"max_failures": 3}, "", 3),
        ({"fail_fast": False}, "", None),
        ({"fail_fast": False}, "max_failures = 3", None),
        ({"max_failures": 3}, "fail_fast = false", 3),
        ({"fail_fast": False, "max_failures": 3}, "", None),
        ({}, "max_failures = 2", 2),
    ],
)
def test_when_failures_stop_everything(
    flags: dict[str, object], file: str, expected: int | None, tmp_path: Path
) -> None:
    (tmp_path / "understudy.toml").write_text(file)

    assert resolve(flags, {}, tmp_path / "understudy.toml").stop_after == expected
