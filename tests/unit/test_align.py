"""Production read from where it runs, put beside a commit's topology."""

from __future__ import annotations

from understudy.stacks.align import aligned
from understudy.stacks.change import Change, Fidelity
from understudy.stacks.clone import secret_token
from understudy.stacks.compare import compare
from understudy.stacks.profile import Profile
from understudy.stacks.topology import Build, External, Mount, Port, Service, Suite, Topology

DIGEST = "sha256:" + "d" * 64


def differences(production: Topology, candidate: Topology) -> list[str]:
    return [row.path for row in compare(production, candidate) if not row.same]


def test_what_production_cannot_say_is_the_commits() -> None:
    candidate = Topology(
        "shop",
        {"queue": Service("queue", kind="queue", image="redis:7")},
        externals={"pay": External("pay", "api.pay.example")},
        suites=(Suite("all", ("pytest",)),),
        profiles={"load": Profile("load", replicas=2)},
        endpoints=(("queue", 6379),),
    )
    production = Topology("prod", {"queue": Service("queue", kind="cache", image="redis:7")})
    told, same = aligned(production, candidate, references={"queue": "redis:7"})
    assert (told, same) == (candidate, candidate)


def test_a_service_that_names_productions_image_runs_the_very_image_that_production_runs() -> None:
    candidate = Topology("shop", {n: Service(n, image=f"{n}:1") for n in ("db", "cache", "new")})
    production = Topology(
        "shop", {"db": Service("db", image=f"db:1@{DIGEST}"), "cache": Service("cache", image=f"cache:0@{DIGEST}")}
    )
    told, pinned = aligned(production, candidate, references={"db": "db:1", "cache": "cache:0"})
    assert {name: service.image for name, service in pinned.services.items()} == {
        "db": f"db:1@{DIGEST}",
        "cache": "cache:1",
        "new": "new:1",
    }
    assert differences(told, pinned) == ["services.cache.image", "services.new"]


def test_a_secret_has_the_commits_name() -> None:
    def web(rule: str, other: str) -> Service:
        url = f"postgres://app:{secret_token(rule)}@db"
        return Service("web", image="web:1", environment={"DSN": url, "KEY": secret_token(other)}, command=(url,))

    candidate = Topology("shop", {"web": web("DB_PASSWORD", "KEY")}, secrets=("DB_PASSWORD", "KEY"))
    production = Topology("shop", {"web": web("PGPASSWORD", "KEY")}, secrets=("PGPASSWORD", "KEY", "OTHER"))
    told, same = aligned(production, candidate, references={})
    assert told.services == same.services
    assert told.secrets == ("DB_PASSWORD", "KEY", "OTHER")


def test_a_sealed_environment_is_the_commits_and_no_difference() -> None:
    sealed = Change("services.web.environment", "(secret)", None, "sealed", Fidelity.MISSING)
    gone = Change("services.old.environment", "(secret)", None, "sealed", Fidelity.MISSING)
    candidate = Topology("shop", {"web": Service("web", image="web:1", environment={"A": "1"}, expose=(Port(80),))})
    production = Topology(
        "shop", {"web": Service("web", image="web:1"), "old": Service("old", image="old:1")}, changes=(sealed, gone)
    )
    told, same = aligned(production, candidate, references={}, unsaid=("expose",))
    assert differences(told, same) == ["services.old"]
    assert told.changes == (gone,)


def test_what_the_commit_builds_is_not_said_to_differ_from_the_image_that_runs() -> None:
    candidate = Topology("shop", {"web": Service("web", build=Build("web"))})
    production = Topology("shop", {"web": Service("web", image=DIGEST)})
    told, same = aligned(production, candidate, references={"web": "shop-web"})
    assert differences(told, same) == []


def test_a_path_of_productions_host_is_the_commits_file_where_both_are_bound_at_one_place() -> None:
    conf, data = (
        Change("services.web.volumes", f"/srv/shop/{path}", None, "it is a path of one host", Fidelity.MISSING)
        for path in ("nginx.conf:/etc/nginx.conf", "data:/data")
    )
    mount = Mount("bind", "/etc/nginx.conf", "nginx.conf", read_only=True)
    candidate = Topology("shop", {"web": Service("web", image="web:1", mounts=(mount,))})
    production = Topology("shop", {"web": Service("web", image="web:1")}, changes=(conf, data))
    told, same = aligned(production, candidate, references={})
    assert differences(told, same) == []
    assert told.changes == (data,)
