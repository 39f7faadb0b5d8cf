"""The small languages inside values."""

import pytest

from understudy.stacks.sources.values import container_ports, duration, host_name, split_command
from understudy.stacks.topology import Port


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("2us", 2e-6), ("2µs", 2e-6), ("3ns", 3e-9)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "1 s", "-1s", "s", "1s2", "1e3s", "٣s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("80", (Port(80),)),
        ("53/udp", (Port(53, protocol="udp"),)),
        ("80/TCP", (Port(80),)),
        ("3000-3002", (Port(3000), Port(3001), Port(3002))),
        ("65535", (Port(65535),)),
    ],
)
def test_container_ports(text: str, result: tuple[Port, ...]) -> None:
    assert container_ports(text) == result


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "a", "80:", "8080:80", "80/sctp", "5-3", "1-65535", "1234567890", " 80", "80\n"]
)
def test_no_container_ports(text: str) -> None:
    with pytest.raises(ValueError, match="port"):
        container_ports(text)


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
