"""Several files as one: merging by each key's rule, tags, anchors, extends and include."""

from collections.abc import Mapping
from typing import Any

import pytest

from understudy.stacks.sources.document import load, peek, printed
from understudy.stacks.sources.document.files import MAX_FILES
from understudy.stacks.sources.document.tree import get, plain
from understudy.stacks.topology import TopologyError


def reader(files: Mapping[str, str]) -> Any:
    return lambda name: files[name].encode() if name in files else None


def shown(files: Mapping[str, str], *names: str, **more: Any) -> Any:
    more.setdefault("variables", {})
    document = load(names or ("compose.yaml",), read_file=reader(files), project="p", **more)
    return printed(document.root, "/p")


def web(base: str, over: str, key: str) -> Any:
    """What is printed of a key of one service that two files speak of."""
    files = {
        "a.yaml": "services: {web: {image: a, " + base + "}, db: {image: b}}\nnetworks: {n: , m: }\n",
        "b.yaml": "services: {web: {" + over + "}}\n",
    }
    return shown(files, "a.yaml", "b.yaml")["services"]["web"].get(key)


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("command: [a]", "command: [b]", ["b"]),
        ("entrypoint: a", "entrypoint: ", None),
        ("environment: {A: 1, B: 2}", "environment: [A=3, C]", {"A": "3", "B": "2", "C": None}),
        ("labels: [a=1]", "labels: {a: 2, b: }", {"a": "2", "b": ""}),
        ("expose: [1, 2]", "expose: ['2', 3]", ["1", "2", "3"]),
        ("dns: 1.1.1.1", "dns: [2.2.2.2]", ["1.1.1.1", "2.2.2.2"]),
        ("extra_hosts: [a=1.1.1.1]", "extra_hosts: [a=2.2.2.2]", ["a=1.1.1.1", "a=2.2.2.2"]),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 3}", {"nofile": 3}),
        ("cap_add: [A]", "cap_add: [B, A]", ["A", "B"]),
        ("security_opt: [a]", "security_opt: [b]", ["a", "b"]),
        ("user: c", "user: d", "d"),
        ("privileged: true", "privileged: false", None),
        ("user: a", "user: !reset ''", None),
        ("cap_add: [A]", "cap_add: !override [B]", ["B"]),
        ("environment: {A: 1, B: 2}", "environment: {A: !reset null}", {"B": "2"}),
    ],
)
def test_each_key_is_merged_by_its_rule(base: str, over: str, result: object) -> None:
    assert web(base, over, over.partition(":")[0]) == result


def test_ports_and_volumes_are_known_by_what_they_say() -> None:
    ports = web("ports: ['80:80', '127.0.0.1:81:81']", "ports: ['80:80', '82:81']", "ports")
    assert [(port.get("host_ip"), port["published"], port["target"]) for port in ports] == [
        (None, "80", 80),
        ("127.0.0.1", "81", 81),
        (None, "82", 81),
    ]
    mounts = web("volumes: ['./a:/x', './b:/y']", "volumes: ['./c:/x:ro']", "volumes")
    assert [(mount["source"], mount["target"]) for mount in mounts] == [("/p/c", "/x"), ("/p/b", "/y")]


def test_mappings_and_short_forms_are_merged_deeply() -> None:
    assert web("depends_on: [db]", "depends_on: {db: {condition: service_healthy}}", "depends_on") == {
        "db": {"condition": "service_healthy", "required": True}
    }
    assert web("networks: [n]", "networks: {n: {aliases: [x]}, m: }", "networks") == {
        "n": {"aliases": ["x"]},
        "m": None,
    }
    assert web("build: ./a", "build: {args: [A=1]}", "build") == {
        "context": "/p/a",
        "dockerfile": "Dockerfile",
        "args": {"A": "1"},
    }
    assert web("logging: {driver: a, options: {x: 1}}", "logging: {driver: b, options: {y: 1}}", "logging") == {
        "driver": "b",
        "options": {"y": "1"},
    }


def test_a_list_is_not_overridden_by_a_mapping() -> None:
    with pytest.raises(TopologyError, match=r"^b\.yaml:1:32: .*cannot be overridden"):
        web("security_opt: [a]", "security_opt: {a: b}", "security_opt")


def test_documents_of_one_file_are_merged_too() -> None:
    text = "services: {web: {image: a, ports: ['1']}}\n---\nservices: {web: {image: b, ports: ['2']}}\n"
    found = shown({"compose.yaml": text})["services"]["web"]
    assert (found["image"], [port["target"] for port in found["ports"]]) == ("b", [1, 2])


def test_anchors_and_merge_keys() -> None:
    text = (
        "x-base: &base {image: a, environment: &env {A: 1}}\n"
        "services:\n"
        "  one: {<<: *base, environment: {<<: *env, B: 2}}\n"
        "  two: {<<: [*base, {command: x}], image: c}\n"
    )
    found = shown({"compose.yaml": text})["services"]
    assert found["one"]["environment"] == {"A": "1", "B": "2"}
    assert (found["two"]["image"], found["two"]["command"]) == ("c", ["x"])


def test_a_reset_in_an_anchor_counts_where_it_stands_and_an_override_everywhere() -> None:
    base = "services: {one: {image: a, ports: ['1'], expose: ['5']}}"
    over = "x-c: &c {ports: !reset [], expose: !override ['6']}\nservices: {one: {<<: *c}}"
    found = shown({"a": base, "b": over}, "a", "b")["services"]["one"]
    assert [port["target"] for port in found["ports"]] == [1]
    assert found["expose"] == ["6"]


def test_services_extend_others_of_their_file_and_of_others() -> None:
    files = {
        "compose.yaml": "services:\n"
        "  web: {extends: {file: sub/base.yaml, service: base}, environment: [B=2], ports: !reset []}\n"
        "  two: {extends: web, image: c}\n",
        "sub/base.yaml": "services:\n"
        "  base: {extends: {file: ../far.yaml, service: far}, build: ./x, environment: [A=1, B=1], env_file: e.env}\n",
        "far.yaml": "services: {far: {image: a, ports: ['1'], volumes: ['./d:/d']}}\n",
        "sub/e.env": "C=3\n",
    }
    found = shown(files)["services"]
    assert found["web"]["image"] == "a"
    assert found["web"]["environment"] == {"A": "1", "B": "2", "C": "3"}
    assert found["web"]["build"]["context"] == "/p/sub/x"
    assert found["web"]["volumes"][0]["source"] == "/p/d"
    assert "ports" not in found["web"]
    assert found["two"] == {**found["web"], "image": "c"}


def test_included_files_have_their_own_folder_and_variables() -> None:
    files = {
        "compose.yaml": "include: [sub/one.yaml, {path: [two.yaml, three.yaml], env_file: two.env}]\n"
        "services: {web: {image: a, depends_on: [db, two]}}\n",
        "sub/one.yaml": "include: [deep/four.yaml]\n"
        "services: {db: {image: 'db:${V:-1}', volumes: ['./d:/d', 'data:/data']}}\nvolumes: {data: }\n",
        "sub/.env": "V=9\n",
        "sub/deep/four.yaml": "services: {four: {build: .}}\n",
        "two.yaml": "services: {two: {image: 'two:$W'}}\n",
        "three.yaml": "services: {two: {command: x}}\n",
        "two.env": "W=5\nX=6\n",
    }
    found = shown(files)
    assert set(found["services"]) == {"web", "db", "two", "four"}
    assert found["services"]["db"]["image"] == "db:9"
    assert found["services"]["db"]["volumes"][0]["source"] == "/p/sub/d"
    assert found["services"]["four"]["build"]["context"] == "/p/sub/deep"
    assert (found["services"]["two"]["image"], found["services"]["two"]["command"]) == ("two:5", ["x"])
    assert found["volumes"] == {"data": {"name": "p_data"}}


ONE = "services: {web: {image: a}}\n"


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ({"compose.yaml": "include: [b.yaml]\n" + ONE}, "compose.yaml:1:11", "there is no file 'b.yaml'"),
        ({"compose.yaml": "include: [b.yaml]\n" + ONE, "b.yaml": "services: {web: {image: b}}"}, "", "otherwise"),
        ({"compose.yaml": "include: [b.yaml]\n" + ONE, "b.yaml": "include: [compose.yaml]"}, "b.yaml:1:11", "circle"),
        ({"compose.yaml": "include: ['https://a.b/c']\n" + ONE}, "compose.yaml:1:11", "not on this machine"),
        ({"compose.yaml": "include: [{path: b.yaml, env_file: x}]\n", "b.yaml": ONE}, "", "no file 'x'"),
        ({"compose.yaml": "services: {web: {extends: x}}"}, "compose.yaml:1:27", "no service 'x'"),
        ({"compose.yaml": "services: {a: {extends: b}, b: {extends: a}}"}, "", "in a circle"),
        ({"compose.yaml": "services: {a: {extends: {file: b, service: b}}}"}, "compose.yaml:1:32", "no file 'b'"),
        ({"compose.yaml": "services: {a: {extends: {file: b, service: b}}}", "b": "x-a: 1"}, "", "no services"),
        ({"compose.yaml": "services: {web: {image: a, env_file: e}}"}, "compose.yaml:1:38", "no file 'e'"),
        ({"compose.yaml": "services: {web: {image: a, label_file: e}}"}, "compose.yaml:1:40", "no file 'e'"),
    ],
)
def test_what_is_missing_or_turns_in_a_circle(files: dict[str, str], place: str, message: str) -> None:
    with pytest.raises(TopologyError, match=message) as caught:
        shown(files)
    assert str(caught.value).startswith(place)


def test_files_that_include_many_others_are_refused() -> None:
    files = {f"{i}.yaml": f"include: [{i + 1}.yaml, {i + 1}.yaml]\n" for i in range(12)} | {"12.yaml": ONE}
    with pytest.raises(TopologyError, match=f"more than {MAX_FILES} files"):
        shown(files, "0.yaml")


def test_environment_files_and_labels() -> None:
    files = {
        "compose.yaml": "services:\n"
        "  web:\n"
        "    image: a\n"
        "    environment: [A, B=own]\n"
        "    env_file: [one.env, {path: two.env, format: raw}, {path: no.env, required: false}]\n"
        "    label_file: web.labels\n"
        "    labels: [x=1]\n",
        "one.env": "A=file\nB=file\nC=$B-$P\n",
        "two.env": "D='$B' # as it is\n",
        "web.labels": "x=2\ny=$x\n",
    }
    found = shown(files, variables={"P": "p"})["services"]["web"]
    assert found["environment"] == {"A": None, "B": "own", "C": "own-p", "D": "'$$B' # as it is"}
    assert found["labels"] == {"x": "1", "y": "2"}
    assert shown(files, variables={"A": "process"})["services"]["web"]["environment"]["A"] == "process"


def test_what_is_known_before_variables_are_replaced() -> None:
    files = {
        "a.yaml": "include: [sub/c.yaml]\nx-understudy: {secrets: [A]}\nservices: {web: {image: 'x:${V:?}'}}\n",
        "b.yaml": "x-understudy: {secrets: [B]}\n",
        "sub/c.yaml": "services: {db: {image: postgres}}\nx-understudy: {secrets: [C]}\n",
    }
    root = peek(("a.yaml", "b.yaml"), read_file=reader(files))
    secrets, services = get(root, "x-understudy", "secrets"), get(root, "services")
    assert secrets is not None
    assert services is not None
    assert plain(secrets) == ["A", "B"]
    assert plain(services) == {"db": {"image": "postgres"}, "web": {"image": "x:${V:?}"}}
