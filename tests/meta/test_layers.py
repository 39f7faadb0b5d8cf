from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the top to the bottom; a module may import what stands in its own row or below.
LAYERS = (
    ("cli",),
    ("reap_cli", "platform_cli", "prices_cli", "command_line"),
    ("commenting", "sharding"),
    ("shard_process", "shard_tally"),
    (
        "lifecycle",
        "listing",
        "diff",
        "planning",
        "platforms",
        "platform_removal",
        "platform_holds",
        "topology_cli",
        "reporting",
        "joining",
        "init",
        "extending",
        "exporting",
    ),
    ("health",),
    ("aftermath", "reap", "holding", "ending"),
    ("giving_back",),
    ("admission",),
    ("stages", "program"),
    ("recorder",),
    ("recording", "last_lines"),
    ("report_html",),
    ("timing",),
    ("arranging", "reuse"),
    ("waiting", "tidying", "strangers"),
    ("rehearsal",),
    ("provision", "on_aws", "on_docker", "imagined", "making", "teardown", "session", "receipts", "locks", "removal"),
    ("ci",),
    ("prices",),
    ("declaration", "declaration_aws", "suites", "export", "report", "history"),
    (
        "preparation",
        "blueprint",
        "configuration",
        "production",
        "production_aws",
        "production_aws_calls",
        "seed",
        "known_secrets",
        "authority",
        "checking",
        "composition",
        "documents",
        "untrusted",
        "awaited",
        "platform_state",
        "platform_wanted",
    ),
    ("engine", "provider", "lease", "heartbeat", "targets", "build", "doctor"),
    ("components",),
    ("stacks",),
    ("watchdog",),
    (
        "errors",
        "progress",
        "options",
        "option_values",
        "console",
        "interrupts",
        "stops",
        "halts",
        "redact",
        "files",
        "processes",
        "alone",
        "owner",
        "groups",
        "scratch",
        "ci_job",
        "aws_answers",
        "aws_failures",
        "aws_sessions",
        "s3_client",
        "s3_place",
        "s3_objects",
    ),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
LOW = len(LAYERS) - 1


def modules() -> list[Path]:
    """Every module of ours, those behind the links once."""
    found = [path for top in ("understudy", "stacks", "components") for path in (ROOT / top).rglob("*.py")]
    links = (ROOT / "understudy" / "stacks", ROOT / "understudy" / "components")
    return sorted(path for path in found if not any(path.is_relative_to(link) for link in links))


def part_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] in {"stacks", "components"} else parts[1]


def imported(path: Path) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                package = list(path.relative_to(ROOT).parent.parts)
                package = package[: len(package) - node.level + 1]
                name = ".".join([*package, *([name] if name else [])])
                name = name if name.startswith("understudy") else f"understudy.{name}"
            found.append((name, node.lineno))
            if name == "understudy":
                found += [(f"understudy.{alias.name}", node.lineno) for alias in node.names]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    assert part in RANK, f"{path}: the layer of {part!r} is not declared"
    for name, line in imported(path):
        words = name.split(".")
        assert words[0] not in {"stacks", "components"}, f"{path}:{line}: import understudy.{name}, not {name}"
        if words[0] == "understudy" and len(words) > 1 and words[1] in RANK:
            assert RANK[words[1]] >= RANK[part], f"{path}:{line}: {part} imports {words[1]}, which is above it"
            if part in {"engine", "provider", "lease", "targets", "build"}:
                assert words[1] != "components", f"{path}:{line}: {part} is handed programs, it does not import them"


def test_stacks_is_plain_data() -> None:
    for path in (ROOT / "stacks").rglob("*.py"):
        for name, line in imported(path):
            assert name.split(".")[0] not in {
                "pulumi",
                "pulumi_docker",
                "pulumi_aws",
                "docker",
                "boto3",
                "os",
                "time",
            }, f"{path}:{line}: stacks/ imports {name}"


def test_the_aws_provider_of_the_tests_knows_the_framework_and_nothing_of_what_it_tests() -> None:
    for path in (ROOT / "tests" / "aws" / "provider").glob("*.py"):
        ours = {name for name, _ in imported(path) if name.startswith("understudy.") and "tests" not in name}
        assert all(name.startswith(("understudy.provider.", "understudy.errors")) for name in ours), path


def test_only_the_engine_starts_the_pulumi_cli() -> None:
    for path in modules():
        if part_of(path) not in {"engine", "doctor"}:
            assert "pulumi.automation" not in path.read_text(encoding="utf-8"), f"{path} reaches past the engine"


def test_only_the_components_of_aws_import_its_sdk() -> None:
    for path in modules():
        for name, line in imported(path):
            if name.split(".")[0] == "pulumi_aws":
                assert path.is_relative_to(ROOT / "components" / "aws"), f"{path}:{line}: it takes a second to import"


def test_every_module_says_its_idea_and_stays_small() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
        assert text.count("\n") <= 400, f"{path} is more than one idea"
