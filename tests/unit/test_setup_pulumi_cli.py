from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from setup_modules import script
from support import wait_for

from understudy.engine import pulumi_cli, pulumi_install
from understudy.engine.pulumi_cli import PINNED, VARIABLE, cache_folder, ensure, find
from understudy.errors import ToolError


def says(path: Path, version: str) -> Path:
    return script(path, f"echo '{version}'")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: nothing on PATH but `bin`, an empty cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def test_an_empty_machine_has_none(machine: Path) -> None:
    assert find() is None
    assert cache_folder() == machine / "cache" / "understudy"


def test_a_relative_cache_folder_is_ignored(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": "cache"}) == Path.home() / ".cache" / "understudy"
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "understudy"


@pytest.mark.parametrize(
    ("said", "version"),
    [("v3.200.0", "3.200.0"), ("3.211.4", "3.211.4"), ("v4.0.0-alpha.1+dirty", "4.0.0-alpha.1+dirty")],
)
def test_one_on_path_is_used_from_the_oldest_on(machine: Path, said: str, version: str) -> None:
    path = says(machine / "bin" / "pulumi", said)
    found = find()
    assert found is not None
    assert (found.path, found.version, found.origin) == (path, version, "PATH")


@pytest.mark.parametrize("text", ["echo v3.199.9", "echo v2.9999.0", "echo ''", "echo v3.200.0; exit 1"])
def test_one_on_path_that_will_not_do_gives_way_to_the_cache(machine: Path, text: str) -> None:
    script(machine / "bin" / "pulumi", text)
    assert find() is None
    ours = says(pulumi_cli.kept(cache_folder()) / "bin" / "pulumi", f"v{PINNED}")
    found = find()
    assert found is not None
    assert (found.path, found.version, found.origin) == (ours, PINNED, "cache")


def test_a_cli_that_changed_in_place_is_asked_again(machine: Path) -> None:
    says(machine / "bin" / "pulumi", "v3.1.0")
    assert find() is None
    says(machine / "bin" / "pulumi", "v3.200.00")
    assert find() is not None


def test_the_variable_overrules_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(machine / "bin" / "pulumi", "v3.300.0")
    named = says(machine / "elsewhere" / "pulumi", "v3.250.0")
    monkeypatch.setenv(VARIABLE, str(named))
    found = find()
    assert found is not None
    assert (found.path, found.version) == (named, "3.250.0")


@pytest.mark.parametrize(("text", "told"), [("exit 1", "did not answer"), ("echo v3.5.0", "is Pulumi 3.5.0")])
def test_a_named_one_that_will_not_do_is_an_error(
    machine: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    says(machine / "bin" / "pulumi", "v3.300.0")
    monkeypatch.setenv(VARIABLE, str(script(machine / "named", text)))
    with pytest.raises(ToolError, match=told):
        find()


def way(text: str) -> Callable[[Path, Callable[[str], None]], str]:
    def make(staged: Path, progress: Callable[[str], None]) -> str:
        progress("at it")
        says(staged / "bin" / "pulumi", "v3.200.0")
        return text

    return make


def test_the_first_way_that_works_is_taken_and_nothing_else_stays(machine: Path) -> None:
    folder = machine / "cache" / "pulumi" / "v1"
    (folder.parent / ".v1-killed").mkdir(parents=True)
    told: list[str] = []
    pulumi_install.make(folder, told.append, [way("no network"), way("")])
    assert told == ["at it", "at it"]
    assert os.access(folder / "bin" / "pulumi", os.X_OK)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", "v1"]


def test_a_cli_that_another_process_made_meanwhile_is_kept(machine: Path) -> None:
    folder = machine / "cache" / "pulumi" / "v1"
    says(folder / "bin" / "pulumi", "theirs")
    told: list[str] = []
    pulumi_install.make(folder, told.append, [way("")])
    assert told == []


def test_when_no_way_works_each_is_told_and_nothing_is_left(machine: Path) -> None:
    folder = machine / "cache" / "pulumi" / "v1"
    with pytest.raises(ToolError, match="no network; no compiler") as caught:
        pulumi_install.make(folder, lambda _text: None, [way("no network"), way("no compiler")])
    assert "Install Pulumi" in caught.value.hint
    assert [path.name for path in folder.parent.iterdir()] == [".lock"]


def test_an_interrupt_leaves_nothing(machine: Path) -> None:
    folder = machine / "cache" / "pulumi" / "v1"

    def interrupted(staged: Path, _progress: Callable[[str], None]) -> str:
        says(staged / "bin" / "pulumi", "half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pulumi_install.make(folder, lambda _text: None, [interrupted])
    assert [path.name for path in folder.parent.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_told(machine: Path) -> None:
    (machine / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(ToolError, match="cannot be written"):
        pulumi_install.make(machine / "cache" / "pulumi" / "v1", lambda _text: None, [way("")])


def test_without_go_the_build_says_so(machine: Path) -> None:
    assert pulumi_install.build(machine, lambda _text: None) == "building with Go: there is no `go` on PATH"


def test_a_go_that_fails_is_quoted(machine: Path) -> None:
    script(machine / "bin" / "go", "echo first; echo 'go: go.mod requires go >= 1.24.0' >&2; exit 1")
    (machine / "staged").mkdir()
    reason = pulumi_install.build(machine / "staged", lambda _text: None)
    assert reason == "building with Go: go: go.mod requires go >= 1.24.0"


def test_the_build_stamps_the_version_and_puts_the_language_host_beside(machine: Path) -> None:
    # The fake compiler writes its own arguments into the file that -o names.
    script(
        machine / "bin" / "go",
        'for a in "$@"; do [ "$last" = -o ] && out=$a; last=$a; done\n'
        '/bin/mkdir -p "${out%/*}"; echo "$PWD $*" > "$out"; /bin/chmod +x "$out"',
    )
    (machine / "staged").mkdir()
    assert pulumi_install.build(machine / "staged", lambda _text: None) == ""
    made = (machine / "staged" / "bin" / "pulumi").read_text(encoding="utf-8")
    assert made.split()[0].endswith("/tools")
    assert f"version.Version=v{PINNED}" in made
    assert made.split()[-1] == "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
    assert os.access(machine / "staged" / "bin" / "pulumi-language-python", os.X_OK)


def test_a_command_past_its_limit_is_ended_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    command = ["/bin/sh", "-c", f"sleep 60 & echo $! > {child}; wait"]
    reason = pulumi_install.run_limited(command, limit=0.5)
    assert reason == "took longer than 0.5 s"
    state = Path(f"/proc/{int(child.read_text(encoding='ascii'))}/stat")

    def ended() -> bool:
        try:
            return ") Z" in state.read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_for(ended, what="the end of the child")


@pytest.mark.usefixtures("machine")
def test_ensure_brings_an_older_language_host_up_to_date_and_leaves_a_foreign_one() -> None:
    folder = says(pulumi_cli.kept(cache_folder()) / "bin" / "pulumi", f"v{PINNED}").parent
    host = script(folder / "pulumi-language-python", "exec python -m understudy.provider.language_host # older")
    ensure(lambda _text: None)
    assert host.read_bytes() == pulumi_install.LANGUAGE_HOST.read_bytes()
    foreign = script(host, "exec the real one").read_bytes()
    ensure(lambda _text: None)
    assert host.read_bytes() == foreign


def test_nothing_is_put_beside_a_cli_on_path(machine: Path) -> None:
    says(machine / "bin" / "pulumi", "v3.300.0")
    assert ensure(lambda _text: None).origin == "PATH"
    assert [path.name for path in (machine / "bin").iterdir()] == ["pulumi"]


def launch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(pulumi_install.LANGUAGE_HOST), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_the_launcher_takes_the_projects_python(tmp_path: Path) -> None:
    root = tmp_path / "a project"
    script(root / ".venv" / "bin" / "python", 'printf "%s|" mine "$@"')
    given = ("-virtualenv=.venv", f"-root={root}", "-typechecker=none", "127.0.0.1:4000")
    assert launch(*given).stdout == "mine|" + "|".join(["-P", "-m", "understudy.provider.language_host", *given, ""])
    absolute = (f"-virtualenv={root / '.venv'}", "-root=/nowhere", "127.0.0.1:4000")
    assert launch(*absolute).stdout.startswith("mine|-P|-m|")


def test_the_launcher_without_a_virtual_environment(tmp_path: Path) -> None:
    other = script(tmp_path / "other", 'echo "other $1"')
    assert launch("-root=/tmp", "addr", PULUMI_PYTHON_CMD=str(other)).stdout == "other -P\n"
    script(tmp_path / "python3", "echo found on PATH")
    assert launch("-root=/tmp", "addr", PATH=str(tmp_path)).stdout == "found on PATH\n"


def test_the_launcher_names_a_virtual_environment_that_is_missing(tmp_path: Path) -> None:
    done = launch("-virtualenv=.venv", f"-root={tmp_path}", "addr")
    assert done.returncode == 1
    assert f"there is no {tmp_path}/.venv/bin/python" in done.stderr


def test_only_the_standard_library_is_needed_to_find_one() -> None:
    code = (
        "import sys, understudy.engine.pulumi_cli\n"
        "print(sorted({'pulumi', 'docker', 'grpc', 'click', 'rich'} & set(sys.modules)))"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout == "[]\n"
