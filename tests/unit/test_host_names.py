from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.clone import secret_token
from understudy.stacks.host_names import Mention, in_command, in_file, in_value


def said(mentions: tuple[Mention, ...]) -> list[str]:
    return [f"{m.host}:{m.port}" if m.port else m.host for m in mentions]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # URLs, with the port that is said or that the scheme means
        ("PAYMENTS_URL", "https://api.payments.example/v1/charges?x=1", ["api.payments.example:443"]),
        ("X", "http://API.Payments.example.:8080", ["api.payments.example:8080"]),
        (
            "DATABASE_URL",
            "postgresql+asyncpg://app:p%40ss@pg.prod.example/app?sslmode=require",
            ["pg.prod.example:5432"],
        ),
        ("SPRING_DATASOURCE_URL", "jdbc:postgresql://pg.prod.example:6432/app", ["pg.prod.example:6432"]),
        ("X", "jdbc:oracle:thin:@ora.prod.example:1521:XE", ["ora.prod.example:1521"]),
        ("X", "jdbc:oracle:thin:@//ora.prod.example:1521/XE", ["ora.prod.example:1521"]),
        ("X", "jdbc:sqlserver://ms.prod.example:1433;databaseName=app;encrypt=true", ["ms.prod.example:1433"]),
        ("X", "jdbc:mysql://a.example:3306,b.example:3307/app", ["a.example:3306", "b.example:3307"]),
        ("X", "mongodb://u:p@m1.example:27017,m2.example:27017/app", ["m1.example:27017", "m2.example:27017"]),
        ("X", "mongodb+srv://u:p@cluster0.abcde.mongodb.example/app", ["cluster0.abcde.mongodb.example:27017"]),
        ("AMQP", "amqp://guest:guest@mq.example//vhost", ["mq.example:5672"]),
        ("CACHE", "redis://:secret@cache.example/0", ["cache.example:6379"]),
        ("SENTRY_DSN", "https://0123abcd@o42.ingest.sentry.example/4", ["o42.ingest.sentry.example:443"]),
        ("X", "http://one.example,http://two.example:81", ["one.example:80", "two.example:81"]),
        ("X", "http://catalog:8000/", ["catalog:8000"]),
        ("HTTPS_PROXY", "http://proxy.corp.example:3128", ["proxy.corp.example:3128"]),
        ("X", "http://203.0.113.7/", ["203.0.113.7:80"]),
        ("DSN", "app:secret@tcp(mysql.example:3306)/app?parseTime=true", ["mysql.example:3306"]),
        ("X", "SASL_SSL://kafka.example:9094", ["kafka.example:9094"]),
        ("X", "Server=tcp:ms.prod.example,1433;Database=app;User Id=sa", ["ms.prod.example:1433"]),
        ("X", "host=pg.prod.example port=5432 dbname=app", ["pg.prod.example"]),
        # keys that say that a host stands there
        ("PGHOST", "pg.prod.example", ["pg.prod.example"]),
        ("SMTP_HOST", "smtp.example:587", ["smtp.example:587"]),
        ("LEGACY_HOST", "mainframe", ["mainframe"]),
        ("KAFKA_BROKERS", "k1.example:9092,k2.example:9092", ["k1.example:9092", "k2.example:9092"]),
        ("REDIS_NODES", "node1:6379 node2:6379", ["node1:6379", "node2:6379"]),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel.example:4317", ["otel.example:4317"]),
        ("DB_HOSTNAME", "db.example", ["db.example"]),
        ("RELAYHOST", "[smtp.example]:587", ["smtp.example:587"]),
        ("METADATA_HOST", "169.254.169.254", ["169.254.169.254"]),
        # a port behind a name with dots, whatever the key is
        ("MAILER", "smtp.example:25", ["smtp.example:25"]),
        ("OPTS", "--bootstrap k1.example:9092 --quiet", ["k1.example:9092"]),
    ],
)
def test_what_is_called(key: str, value: str, expected: list[str]) -> None:
    assert said(in_value(key, value)) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        # the container itself, its host, and where it listens
        ("X", "http://localhost:8080/health"),
        ("X", "http://127.0.0.1:9000"),
        ("X", "tcp://0.0.0.0:2375"),
        ("X", "http://*:80"),
        ("X", "http://+:80"),
        ("X", "http://[::1]:80/"),
        ("X", "http://host.docker.internal:8080"),
        ("HOST", "shop"),
        ("BIND_ADDR", "10.0.0.5:80"),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://shop.example:9092"),
        # who may call, and by what name it is called
        ("ALLOWED_HOSTS", "shop.example,www.shop.example"),
        ("CORS_ORIGIN", "https://shop.example"),
        ("DJANGO_CSRF_TRUSTED_ORIGINS", "https://shop.example"),
        ("VIRTUAL_HOST", "shop.example"),
        ("OAUTH_REDIRECT_URI", "https://shop.example/callback"),
        ("NO_PROXY", "internal.example:80"),
        ("KC_HOSTNAME", "login.shop.example"),
        ("KC_HOSTNAME", "https://login.shop.example"),
        ("X", "LocalHost=web.example"),
        # no host, though it may look like one
        ("MAIL_FROM", "Shop <orders@shop.example>"),
        ("ADMIN", "admin@shop.example"),
        ("FLASK_APP", "shop.app:create"),
        ("CONFIG", "settings.yml:12"),
        ("LOG_FILE", "app.log"),
        ("IMAGE", "registry.example:5000/team/app:1.2.3"),
        ("IMAGE", "postgres:15"),
        ("VERSION", "1.2.3"),
        ("VERSION", "2024.10.1:5"),
        ("MAIN", "com.example.shop.main:8080"),
        ("DJANGO_SETTINGS_MODULE", "shop.settings"),
        ("JAVA_OPTS", "-Dfile.encoding=UTF-8 -agentlib:jdwp=transport=dt_socket,address=*:5005"),
        ("TIMES", "10:30"),
        ("ADDRESS", "true"),
        ("SMTP_HOST", ""),
        ("SMTP_HOST", "none"),
        ("WEB_SERVER", "gunicorn"),
        ("API_URL", "/api"),
        ("API_URL", "../api"),
        ("X", "http://${API_HOST}:${API_PORT}/"),
        ("X", "http://%s:%d/"),
        ("X", "https://*.shop.example"),
        ("X", "https://{tenant}.shop.example"),
        ("X", "unix:///var/run/app.sock"),
        ("X", "sqlite:///data/app.db"),
        ("X", "file://etc/passwd"),
        ("X", "s3://bucket.example/key"),
        ("X", "postgresql:///app?host=/run/postgresql"),
        ("X", "https://"),
        ("X", "http://www.w3.org/2001/XMLSchema"),
        ("PASSWORD", "a:b@c:d"),
        ("CRON", "0 4 * * *"),
        ("MAC_ADDRESS", "02:42:ac:11:00:02"),
        ("PORT_HOST", "8080"),
    ],
)
def test_what_only_looks_like_it(key: str, value: str) -> None:
    assert said(in_value(key, value)) == []


def test_a_secret_is_no_host_and_does_not_hide_one() -> None:
    token = secret_token("DB_PASSWORD")
    assert said(in_value("X", f"postgres://app:{token}@pg.example:5432/app")) == ["pg.example:5432"]
    assert in_value("API_HOST", token) == ()
    assert in_value("X", f"http://{token}/") == ()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("psql", "-h", "pg.example", "-U", "app"), ["pg.example"]),
        (("app", "--smtp-host=smtp.example", "--db-host", "pg.example"), ["smtp.example", "pg.example"]),
        (("sh", "-c", "until nc -z pg.example 5432; do sleep 1; done; curl -f https://x.example/"), ["x.example:443"]),
        (("sh", "-c", "pg_dump --host pg.example > /dump.sql && gzip dump.sql"), ["pg.example"]),
        (("redis-server", "--save", "60", "1", "--appendonly", "yes"), []),
        (("uvicorn", "shop.app:app", "--host", "0.0.0.0", "--port", "8000"), []),  # noqa: S104 - where it listens
        (("CMD", "curl", "-f", "http://localhost:8080/health"), []),
        (("ls", "-h", "README.md"), ["readme.md"]),
        (("java", "-jar", "app.jar", "--server.address=0.0.0.0"), []),
    ],
)
def test_commands(command: tuple[str, ...], expected: list[str]) -> None:
    assert said(in_command(command)) == expected


NGINX = """\
# see http://docs.nginx.example/en/
upstream catalog { server catalog:8000; }
server {
    listen 80;
    server_name shop.example;
    location / { proxy_pass http://catalog; }
    location /pay { proxy_pass https://api.payments.example/; }
    location /old { return 301 https://$host$request_uri; }
    resolver 127.0.0.11;
}
"""


def test_files() -> None:
    assert said(in_file(NGINX)) == ["api.payments.example:443"]
    assert said(in_file("smtp:\n  smarthost: smtp.example:587\n  from: alerts@shop.example\n")) == ["smtp.example:587"]
    assert in_file('<beans xmlns="http://www.springframework.org/schema/beans"/>') == ()


LABEL = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)
HOSTS = st.builds(
    lambda labels, top: ".".join([*labels, top]), st.lists(LABEL, min_size=1, max_size=4), st.just("example")
)


@given(HOSTS, st.integers(1, 65535), st.sampled_from(["http", "https", "postgresql", "amqp", "tcp", "custom"]))
def test_every_host_in_a_url_is_found(host: str, port: int, scheme: str) -> None:
    for userinfo in ("", "user@", "user:pass@"):
        for rest in ("", "/", "/path?query=http://localhost/#part"):
            assert said(in_value("X", f"before {scheme}://{userinfo}{host}:{port}{rest} after")) == [f"{host}:{port}"]


@given(st.text(max_size=200), st.sampled_from(["X", "DB_HOST", "API_URL", "KAFKA_BROKERS"]))
def test_whatever_the_text_what_is_found_is_a_name_with_a_port_in_range(text: str, key: str) -> None:
    for mention in (*in_value(key, text), *in_command(tuple(text.split())), *in_file(text)):
        assert mention.host == mention.host.lower()
        assert set(mention.host) <= set(string.ascii_lowercase + string.digits + "._-")
        assert 0 < len(mention.host) <= 253
        assert mention.port is None or 0 < mention.port < 65536


@given(st.text(string.ascii_letters + string.digits + " -_=+/", max_size=60))
def test_a_text_without_dot_colon_and_url_calls_nobody(text: str) -> None:
    assert in_value("OPTIONS", text) == ()
    assert in_file(text) == ()
