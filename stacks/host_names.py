"""Host names in configuration: what a value, a command or a file calls, and nothing that only looks like one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .clone import SECRET_TOKEN

__all__ = ["Mention", "in_command", "in_file", "in_value"]


@dataclass(frozen=True, slots=True)
class Mention:
    """A host that is called, in lower case, and the port, where it is said or follows from the scheme."""

    host: str
    port: int | None = None


_PORTS: Mapping[str, int] = {
    **dict.fromkeys(("http", "ws"), 80),
    **dict.fromkeys(("https", "wss"), 443),
    **dict.fromkeys(("postgres", "postgresql"), 5432),
    **dict.fromkeys(("mysql", "mariadb"), 3306),
    **dict.fromkeys(("sqlserver", "mssql"), 1433),
    **dict.fromkeys(("redis", "rediss"), 6379),
    **dict.fromkeys(("ssh", "sftp"), 22),
    "amqp": 5672,
    "amqps": 5671,
    "ftp": 21,
    "kafka": 9092,
    "ldap": 389,
    "ldaps": 636,
    "mongodb": 27017,
    "mqtt": 1883,
    "nats": 4222,
    "smtp": 25,
    "smtps": 465,
}
"""Scheme -> the port that it means where none is given (IANA's registry, and the products' documentation)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_HOST = _words(
    "file unix npipe data sqlite s3 s3a s3n gs az azblob wasb wasbs abfs abfss arn classpath jar res docker-image oci "
    "docker env op secret ssm chrome-extension android-app fd stdin memory mem inproc ipc srv dns consul"
)
"""Schemes behind which no host name stands, but a path, a bucket, a key or the name of a name."""

_IDENTIFIERS = _words(
    "www.w3.org schemas.xmlsoap.org json-schema.org schemas.microsoft.com xmlns.jcp.org java.sun.com jakarta.ee "
    "maven.apache.org www.springframework.org logging.apache.org tempuri.org schema.org"
)
"""Hosts of names that look like a URL, such as XML namespaces, and that nobody calls."""

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_URL = re.compile(r"(?<![A-Za-z0-9+._-])(?P<scheme>[A-Za-z][A-Za-z0-9+._-]{0,40})://(?=(?P<rest>[^\s/?#\"'<>`|\\]*))")
_ORACLE = re.compile(
    r"jdbc:oracle:\w{1,20}:[^@\s]{0,200}@(?://)?(?P<host>[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})", re.ASCII
)
_PAIR = re.compile(
    r"(?:^|(?<=[;\s]))(?:Server|Data Source|Host)\s{0,4}=\s{0,4}(?:tcp:)?(?P<host>[A-Za-z0-9._-]+)"
    r"(?:[,:](?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)
"""A host in a list of keys and values, as of ADO.NET (`Server=host,1433;...`) and libpq (`host=... port=...`)."""

_BARE = re.compile(
    rf"(?<![A-Za-z0-9._/:-])(?P<host>{_LABEL}(?:\.{_LABEL})+):(?P<port>[0-9]{{1,5}})(?![A-Za-z0-9._/:-])", re.ASCII
)
_HOST_KEY = re.compile(
    r"\wHOSTS?$|(?:DB|DATABASE|SQL|PG|POSTGRES\w*|MYSQL|MARIADB|MONGO\w*|REDIS|CACHE|SMTP|MAIL|RABBIT\w*|AMQP|QUEUE"
    r"|BROKER|KAFKA|ELASTIC\w*|LDAP|MINIO|NATS|REMOTE|UPSTREAM|BACKEND)_?HOSTNAME$",
    re.IGNORECASE,
)
"""Keys whose value is a host or a list of them. `HOST` alone and most `*_HOSTNAME` are a server's own."""

_PLACE_KEY = re.compile(
    r"(?:SERVERS?|ENDPOINTS?|ADDR|ADDRESS|ADDRESSES|BROKERS?|BROKER_LIST|UPSTREAM|NODES|(?:^|_)(?:URL|URI|DSN))$",
    re.IGNORECASE,
)
"""Keys whose value may be a host too; one with neither a dot nor a port may be anything there."""

_OWN_KEY = re.compile(
    r"(?:ALLOWED|TRUSTED|VIRTUAL|LETSENCRYPT|CORS|ORIGIN|CSRF|COOKIE|PUBLIC|EXTERNAL_URL|SITE_URL|ROOT_URL|REDIRECT"
    r"|CALLBACK|LISTEN|BIND|ADVERTISED|SERVER_NAME|AUDIENCE|NO_PROXY|NEXTAUTH_URL|OVERWRITE|^KC_HOSTNAME)",
    re.IGNORECASE,
)
"""Keys that say who may call, where a service listens, and by what name it is called itself."""

_HOST_OPTION = re.compile(r"--?[\w.-]*(?:host|server|endpoint|broker|addr|address|url|uri|dsn)s?", re.IGNORECASE)
_FILE_ENDINGS = _words(
    "py js ts mjs cjs jsx tsx json yml yaml conf cfg cnf ini toml env txt log md rst csv tsv xml html htm css sql sh "
    "bash ps1 rb php go rs java class jar war kt c h cpp so dll exe bin pem crt cer key p12 jks pid sock lock zip gz "
    "tgz bz2 xz tar png jpg jpeg gif svg ico pdf db sqlite properties tpl tmpl j2 erb service target"
)
_PACKAGES = _words("com org net io java javax jakarta edu gov dev")
_NO_NAMES = _words("true false yes no on off none null all any auto default disabled enabled undefined")
_COMMENT = ("#", ";", "//", "<!--", "--", "*", "/*")


def in_value(key: str, value: str) -> tuple[Mention, ...]:
    """The hosts that an environment variable calls: in URLs, with a port, or because its key says that it is one."""
    if _OWN_KEY.search(key):
        return ()
    text = _without_secrets(value)
    found = [*_urls(text), *_bare(text), *_pairs(text)]
    if _HOST_KEY.search(key):
        found += _listed(text)
    elif _PLACE_KEY.search(key):
        found += (mention for mention in _listed(text) if "." in mention.host or mention.port)
    return tuple(dict.fromkeys(found))


def in_command(words: tuple[str, ...]) -> tuple[Mention, ...]:
    """The hosts that a command line calls: in URLs, with a port, or as the value of an option such as `--smtp-host`."""
    text = _without_secrets(" ".join(words))
    found = [*_urls(text), *_bare(text)]
    parts = re.split(r"[\s\"'`;|&()<>]+", text)
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        option, mark, value = part.partition("=")
        if _HOST_OPTION.fullmatch(option):
            found += _dotted(value if mark else after)
        elif part == "-h":
            found += _dotted(after)
    return tuple(dict.fromkeys(found))


def in_file(content: str) -> tuple[Mention, ...]:
    """The hosts that a configuration file calls: in URLs and with a port, both with a dot, outside of comments.

    A name without a dot may be one of the file's own, such as an `upstream` of nginx.
    """
    lines = (line for line in _without_secrets(content).splitlines() if not line.lstrip().startswith(_COMMENT))
    text = "\n".join(lines)
    return tuple(dict.fromkeys(mention for mention in (*_urls(text), *_bare(text)) if "." in mention.host))


def _without_secrets(text: str) -> str:
    """The text with a character that stands in no name in the place of each secret."""
    return re.sub(SECRET_TOKEN, "\0", text)


def _urls(text: str) -> Iterator[Mention]:
    for url in _URL.finditer(text):
        scheme = url["scheme"].lower()
        if scheme in _NO_HOST or scheme.partition("+")[2] == "unix":
            continue
        inside = url["rest"].rpartition("@")[2] if "@" in url["rest"] else url["rest"]
        for part in re.split(r"[,;]", inside):
            yield from _mention(part.rstrip(").]}"), _PORTS.get(scheme.partition("+")[0]))
    for url in _ORACLE.finditer(text):
        yield from _mention(f"{url['host']}:{url['port']}", None)


def _bare(text: str) -> Iterator[Mention]:
    """`host.domain:port` in running text, lower-case and without what is a file's, a package's or a version's name."""
    for found in _BARE.finditer(text):
        labels = found["host"].split(".")
        ending = labels[-1]
        known = found["host"].islower() and re.fullmatch(r"[a-z]{2,24}|xn--[a-z0-9-]+", ending)
        if known and ending not in _FILE_ENDINGS and labels[0] not in _PACKAGES:
            yield from _mention(f"{found['host']}:{found['port']}", None)


def _pairs(text: str) -> Iterator[Mention]:
    """Hosts in key and value; one without a dot may be anything."""
    for found in _PAIR.finditer(text):
        port = f":{found['port']}" if found["port"] else ""
        yield from (each for each in _mention(f"{found['host']}{port}", None) if "." in each.host)


def _listed(text: str) -> Iterator[Mention]:
    """A list of hosts, each with or without a port; where a URL is, it was found already."""
    for part in re.split(r"[,;\s]+", text):
        if "://" in part or part.startswith(("/", ".", "~")) or part.lower() in _NO_NAMES:
            continue
        host = re.sub(r"^\[(.*)\](?=$|:)", r"\1", part.rpartition("@")[2].partition("/")[0])
        if not re.fullmatch(r"[0-9]+(?::[0-9]+)?", host):
            yield from _mention(host, None)


def _dotted(word: str) -> Iterator[Mention]:
    """The host that an option names; one without a dot may be anything."""
    if "://" not in word:
        yield from (each for each in _mention(word.partition("/")[0], None) if "." in each.host)


def _mention(text: str, usual: int | None) -> Iterator[Mention]:
    """`host` or `host:port`, if it is one that somebody else answers to."""
    host, mark, port = text.partition(":")
    if (mark and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536)) or not _NAME.fullmatch(host):  # noqa: PLR2004 - ports
        return
    host = host.rstrip(".").lower()
    if not _own(host) and host not in _IDENTIFIERS:
        yield Mention(host, int(port) if mark else usual)


def _own(host: str) -> bool:
    """Whether a name or an address always means the container itself, or its host."""
    if re.fullmatch(r"[0-9.]+", host):
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            return True  # a number, or a version
        return address.is_loopback or address.is_unspecified or address.is_multicast or host == "255.255.255.255"
    names = ("localhost", "host.docker.internal", "gateway.docker.internal", "host-gateway")
    return host in names or host.endswith((".localhost", ".invalid"))
