from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from understudy import errors
from understudy.cli import cli
from understudy.report.verdict import ORDER
from understudy.stacks import trust
from understudy.stacks.allowed import ALLOW
from understudy.stacks.endpoints import scheme_of
from understudy.stacks.sources import compose, kinds
from understudy.stacks.sources.compose_keys_parts import KEYS
from understudy.suites.contract import BOX_VARIABLES, HOST_VARIABLES

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
OWN_PAGES = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "examples").rglob("*.md")))

PRINCIPALS = frozenset({"ecs-tasks.amazonaws.com", "sts.amazonaws.com", "token.actions.githubusercontent.com"})
"""What policies of IAM call those that they trust."""

HOSTS = PRINCIPALS | {"www.pulumi.com", "pulumi.com", "github.com", "keepachangelog.com", "semver.org"}
"""The hosts that pages may name, beside `.example`. None of them is one that packages or images are taken from."""

NO_CONTAINER = r"/(?:work|tmp|root|srv|mnt|Users|private|opt)/|/home/(?!wiremock)"
"""The beginnings of absolute paths that exist on somebody's machine; those inside containers are a topology's."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[tuple[str, str, int]]:
    """Each fenced block: what stands behind the fence, its text, and its first line's number."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        yield found[1].strip(), found[2], text[: found.start()].count("\n") + 2


def prose(page: Path) -> str:
    return re.sub(r"^```.*\n(?:.*\n)*?```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}\n", text, re.MULTILINE)
    assert found, f"docs/{page} has no heading {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The cells of every table row but the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        row for row, after in zip(cells, [*cells[1:], [""]], strict=True) if not {row[0][:3], after[0][:3]} & {"---"}
    ]


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


# ---- what is generated


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    sys.path.append(str(ROOT / "scripts"))  # as for a script that is run: its folder is where it imports from
    spec = importlib.util.spec_from_file_location("understudy_docs_script", ROOT / "scripts" / "docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_fresh(generator: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert generator.main(["--check"]) == 0, f"run `make docs`: {capsys.readouterr().out}"


@pytest.fixture
def copied(generator: ModuleType, tmp_path: Path) -> Path:
    own = (generator.CLI, generator.KEYS_PAGE, generator.TOPOLOGY, generator.TOPOLOGY_SCHEMA)
    for name in (*own, *(each for path, page, _ in generator.RECORDS for each in (path, page))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_stale_page_is_found_and_written(generator: ModuleType, copied: Path) -> None:
    page = copied / generator.CLI
    fresh = page.read_text(encoding="utf-8")
    page.write_text(fresh.replace("understudy down", "understudy remove"), encoding="utf-8")
    assert generator.main(["--check"], copied) == 1
    assert page.read_text(encoding="utf-8") != fresh, "a check writes nothing"
    assert generator.main([], copied) == 0
    assert page.read_text(encoding="utf-8") == fresh


def test_a_new_field_needs_a_meaning_and_a_gone_one_leaves(
    generator: ModuleType, copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, name, make), *others = generator.RECORDS
    schema, page = json.loads(json.dumps(make()).replace('"stop_seconds"', '"halt_seconds"')), copied / name
    monkeypatch.setattr(generator, "RECORDS", ((generator.SCHEMA, name, lambda: schema), *others))
    assert generator.main(["--check"], copied) == 1
    assert generator.main([], copied) == 1
    assert "Run.halt_seconds" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "| `stop_seconds` |" not in text
    page.write_text(text.replace("| `halt_seconds` | number or null | |", "| `halt_seconds` | number or null | x |"))
    assert generator.main(["--check"], copied) == 0


# ---- links, commands, names


@pytest.mark.parametrize("page", OWN_PAGES, ids=name_of)
def test_every_relative_link_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        aim = page.parent / path if path else page
        assert aim.exists(), f"{name_of(page)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(aim), f"{name_of(page)} links to {target}, and there is no such heading"


def shell_commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every `understudy ...` of sh blocks and of code in the text: where it stands, and its words."""
    for kind, text, first in blocks(page):
        if kind in {"sh", "bash", "console"}:
            for number, line in enumerate(text.splitlines(), first):
                for found in re.finditer(r"(?:^|[\s/(])understudy (?P<rest>[^)|;&#\n\"]*)", line):
                    yield f"{name_of(page)}:{number}", shlex.split(found["rest"])
    for span in re.findall(r"`understudy ([^`\n]+)`", prose(page)):
        yield f"{name_of(page)}: `understudy {span}`", span.split()


def known_options(command: click.Command) -> set[str]:
    """The options of a command; of a group, those of its commands."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    options = [item for part in (command, *below) for item in part.params if isinstance(item, click.Option)]
    return {"--help", "-h"}.union(*({*item.opts, *item.secondary_opts} for item in options))


@pytest.mark.parametrize("page", OWN_PAGES, ids=name_of)
def test_every_command_and_option_exists(page: Path) -> None:
    for place, words in shell_commands(page):
        if words[:1] == ["[OPTIONS]"] or not words:
            continue
        if words[0].startswith("-"):
            assert words[0] in {"--help", "--version", "-h"}, f"{place}: there is no {words[0]}"
            continue
        assert words[0] in cli.commands, f"{place}: there is no command {words[0]!r}"
        for word in words[1:]:
            option = word.partition("=")[0]
            if re.fullmatch(r"--?[a-z][a-z-]*", option):
                assert option in known_options(cli.commands[words[0]]), f"{place}: {words[0]} has no {option}"


@pytest.mark.parametrize("page", [page for page in OWN_PAGES if page.parent.name != "decisions"], ids=name_of)
def test_every_option_in_the_text_exists(page: Path) -> None:
    ours = set().union(*map(known_options, cli.commands.values())) | {"--version"}
    foreign = {"--dist", "--maxfail", "--numprocesses", "--remove", "--check"}  # pytest's, Pulumi's and our scripts'
    for span in code(prose(page)):
        if re.fullmatch(r"--[a-z][a-z-]*", span):
            assert span in ours | foreign, f"{name_of(page)}: there is no option {span}"


@pytest.mark.parametrize("page", OWN_PAGES, ids=name_of)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [line for kind, text, _ in blocks(page) if kind == "sh" for line in text.splitlines()]
    for named in re.findall(r"(?:^|`)make ([a-z]+)", "\n".join([*lines, prose(page)]), re.MULTILINE):
        assert named in targets, f"{name_of(page)}: make has no target {named}"


@pytest.mark.parametrize("page", OWN_PAGES, ids=name_of)
def test_no_foreign_host_and_no_path_of_a_machine_is_named(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:[a-z0-9-]+\.)+(?:com|org|io|net)\b", text)
    assert set(named) <= HOSTS, f"{name_of(page)} names {set(named) - HOSTS}"
    urls = set(re.findall(r"https?://([^/\s)\"'`:]+)", text)) - {"{host}"}
    urls = {url for url in urls if not url.endswith(".example")}
    assert urls <= HOSTS | {"127.0.0.1", "localhost"}, f"{name_of(page)} names {urls - HOSTS}"
    paths = [line for line in text.splitlines() if re.search(rf"(?<![\w.~$}}]){NO_CONTAINER}", line)]
    assert not paths, f"{name_of(page)}: {paths}"


# ---- the Compose file


def yaml_blocks() -> list[tuple[str, str, bool]]:
    """Every topology in the pages: its place, its text, and whether the page says that it is warned about."""
    found = [(page, kind.split(), text, line) for page in PAGES for kind, text, line in blocks(page)]
    return [
        (f"{name_of(page)}:{line}", text, "warns" in kind)
        for page, kind, text, line in found
        if kind[:1] == ["yaml"] and re.search(r"^services:", text, re.MULTILINE)
    ]


@pytest.mark.parametrize(("place", "text", "warns"), yaml_blocks(), ids=[place for place, _, _ in yaml_blocks()])
def test_every_topology_of_the_pages_is_read(place: str, text: str, warns: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    topology = compose.read(text, "compose.yaml", variables={}, read_file=lambda _path: b"KEY=value\n")
    assert bool(topology.warnings) is warns, f"{place}: {topology.warnings}"


def test_topologies_are_found_in_the_pages() -> None:
    places = {place.partition(":")[0] for place, _, _ in yaml_blocks()}
    assert places >= {"README.md", "docs/topology.md"}


def test_the_page_of_keys_has_every_key_once_as_the_table_takes_it() -> None:
    text = (ROOT / "docs" / "compose-keys.md").read_text(encoding="utf-8").partition("## What can be allowed")
    listed = [(code(row[0])[0], row[1]) for row in rows(text[0]) if code(row[0])]
    assert sorted(listed) == sorted((row.path, row.taken.value) for row in KEYS.values())
    assert [code(row[0])[0] for row in rows(text[2])] == list(ALLOW)


def test_kinds_and_their_images_are_all_there() -> None:
    text = section("topology.md", "Kinds").partition("A service's kind")[2]
    table = {code(row[0])[0]: set(code(row[2])) for row in rows(text)}
    assert list(table) == list(kinds.KINDS)
    for kind, images in table.items():
        known = {image for image, other in kinds._KIND_OF.items() if other == kind}
        assert images - {"mssql/server"} == known, kind


def test_schemes_are_as_the_page_says() -> None:
    for ports, scheme in (row for row in rows(section("topology.md", "Endpoints")) if row[0][0].isdigit()):
        for port in ports.split(","):
            assert scheme_of(int(port), "service") == code(scheme)[0], port
    listed = {
        int(port) for port in re.findall(r"\d+", " ".join(row[0] for row in rows(section("topology.md", "Endpoints"))))
    }
    assert {port for port in range(65536) if scheme_of(port, "service") != "tcp"} == listed


def test_the_variables_that_name_certificates_are_all_there() -> None:
    named = {
        variable: code(row[1])[0].removeprefix(f"{trust.FOLDER}/")
        for row in rows(section("topology.md", "Certificates"))
        for variable in code(row[0])
    }
    assert named.pop("JAVA_TOOL_OPTIONS").endswith(f"{trust.FOLDER}/{trust.TRUST_STORE}")
    assert named == trust.VARIABLES


# ---- tests, run record, Pulumi


def test_the_allow_list_of_variables_is_the_real_one() -> None:
    listed = re.findall(r"```text\n(.*?)```", section("tests.md", "The allow-list"), re.DOTALL)
    assert [set(block.split()) for block in listed] == [HOST_VARIABLES, BOX_VARIABLES]


def test_exit_codes_are_those_of_the_errors() -> None:
    table = {int(row[0]): set(code(row[1])) for row in rows(section("run-record.md", "Exit codes"))}
    classes = (getattr(errors, name) for name in errors.__all__ if name != "UnderstudyError")
    real: dict[int, set[str]] = {}
    for error in classes:
        real.setdefault(error.exit_code, set()).add(error.__name__)
    assert {number: names - {"EngineError"} for number, names in table.items() if number} == real
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(map(int, re.findall(r"^\| (\d+) \|", readme, re.MULTILINE))) == set(table)
    order = re.search(
        r"first of these that is there: ([\d, ]+)\.", section("run-record.md", "Exit codes").replace("\n", " ")
    )
    assert order
    named = [int(number) for number in order[1].split(",")]
    assert named == [number for number in ORDER if number in real]


def test_configuration_and_outputs_are_those_of_the_program() -> None:
    source = (ROOT / "understudy" / "program.py").read_text(encoding="utf-8")
    configured = re.search(r"^_CONFIGURED = (\(.*?\))$", source, re.MULTILINE | re.DOTALL)
    assert configured
    keys = [code(row[0])[0] for row in rows(section("pulumi.md", "Configuration"))]
    assert keys == [f"understudy:{key}" for key in ast.literal_eval(configured[1])]
    outputs = {code(row[0])[0] for row in rows(section("pulumi.md", "Outputs"))}
    declared = (ROOT / "understudy" / "declaration.py").read_text(encoding="utf-8")
    assert outputs == set(re.findall(r'pulumi\.export\("(\w+)"', declared))


def test_the_project_of_the_pages_is_the_one_of_this_checkout() -> None:
    shown = [text for kind, text, _ in blocks(ROOT / "docs" / "pulumi.md") if kind == "yaml"]
    plugins = shown[0].partition("runtime:")[2]
    assert plugins in (ROOT / "Pulumi.yaml").read_text(encoding="utf-8").partition("runtime:")[2]
    program = [text for kind, text, _ in blocks(ROOT / "docs" / "pulumi.md") if kind == "python"]
    assert program[0] in (ROOT / "__main__.py").read_text(encoding="utf-8")
