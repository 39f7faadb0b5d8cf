"""The small languages inside values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks.sources.values import (
    boolean,
    byte_size,
    duration,
    host_name,
    number_text,
    ports,
    split_command,
)
from understudy.stacks.topology import Port


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("2us", 2e-6), ("2µs", 2e-6), ("3ns", 3e-9)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "1 s", "-1s", "1d", "s", "1s2", "1e3s", "٣s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("1k", 1024),
        ("1.5g", 1610612736),
        ("64MiB", 67108864),
        ("2 GB", 2147483648),
        ("1b", 1),
        ("0", 0),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert byte_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1m", "1x", "1mm", "9" * 50])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        byte_size(text)


def test_booleans() -> None:
    assert [boolean(word) for word in ("true", "Yes", "on", "1")] == [True] * 4
    assert [boolean(word) for word in ("false", "NO", "off", "0")] == [False] * 4
    with pytest.raises(ValueError, match="neither true nor false"):
        boolean("maybe")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("80", (Port(80),)),
        ("8080:80", (Port(80, "8080"),)),
        ("127.0.0.1:8080:80", (Port(80, "8080", "tcp", "127.0.0.1"),)),
        ("127.0.0.1::80", (Port(80, None, "tcp", "127.0.0.1"),)),
        ("[::1]:8080:80/tcp", (Port(80, "8080", "tcp", "::1"),)),
        ("53:53/udp", (Port(53, "53", "udp"),)),
        ("3000-3002", (Port(3000), Port(3001), Port(3002))),
        ("9090-9091:8080-8081", (Port(8080, "9090"), Port(8081, "9091"))),
        ("8000-9000:80", (Port(80, "8000-9000"),)),
    ],
)
def test_ports(text: str, result: tuple[Port, ...]) -> None:
    assert ports(text) == result


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "a", "80:", "1:2:3:4", "80/sctp", "5-3", "1-3:1-2", "1-65535", "123456789012:80", " 80", "80\n"],
)
def test_no_ports(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|protocol|range"):
        ports(text)


def test_commands_are_split_and_never_expanded() -> None:
    assert split_command("sh -c 'echo \"$HOME\" `id`'") == ("sh", "-c", 'echo "$HOME" `id`')
    assert split_command("a\\ b *.txt # c") == ("a b", "*.txt", "#", "c")
    assert split_command("") == ()
    with pytest.raises(ValueError, match="no closing quotation"):
        split_command("echo 'x")


@pytest.mark.parametrize("text", ["db", "db.shop.internal", "a_b", "X1", "1"])
def test_host_names(text: str) -> None:
    assert host_name(text) == text


@pytest.mark.parametrize("text", ["", "-a", "a-", ".a", "a b", "a\nb", "a;b", "é", "a" * 254, "a/b", "a:1"])
def test_no_host_names(text: str) -> None:
    with pytest.raises(ValueError, match="no host name"):
        host_name(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (8080, "8080"),
        (1.1, "1.1"),
        (1000.0, "1000"),
        (0.0, "0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_are_written_as_compose_writes_them(number: float, text: str) -> None:
    assert number_text(number) == text


@settings(max_examples=50, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_written_number_is_the_number(number: float) -> None:
    assert float(number_text(number)) == number


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(("tcp", "udp")))
def test_any_pair_of_ports(host: int, container: int, protocol: str) -> None:
    (port,) = ports(f"{host}:{container}/{protocol}")
    assert (port.published, port.target, port.protocol) == (str(host), container, protocol)
