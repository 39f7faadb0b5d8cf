from __future__ import annotations

import base64
import html
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode
from xml.sax import saxutils

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.redact import MARK, Redactor

VALUE = 'pa"ss/w?rd & <ü>\\'


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        quote(VALUE, safe="").lower(),
        json.dumps(VALUE)[1:-1],
        json.dumps(VALUE, ensure_ascii=False)[1:-1],
        json.dumps(VALUE).replace("/", "\\/")[1:-1],
        html.escape(VALUE),
        repr(VALUE)[1:-1],
        base64.b64encode(VALUE.encode()).decode(),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
    ],
)
def test_every_form_is_found_in_text_and_in_files(form: str, tmp_path: Path) -> None:
    redactor = Redactor([VALUE])
    path = tmp_path / "log"
    path.write_text(f"before {form} after\n", encoding="utf-8")

    redactor.file(path)

    assert redactor.text(f"before {form} after").startswith(f"before {MARK}")
    assert form not in redactor.text(f"before {form} after")
    assert path.read_text(encoding="utf-8").startswith(f"before {MARK}")


@given(st.binary(max_size=8), st.text(st.characters(codec="ascii"), min_size=12, max_size=30), st.binary(max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_secret_inside_longer_base64_is_found(before: bytes, secret: str, after: bytes) -> None:
    whole = base64.b64encode(before + secret.encode() + after).decode()

    assert MARK in Redactor([secret]).text(whole)


def test_short_values_are_left_alone_and_counted() -> None:
    redactor = Redactor(["true", "", "12345", "123456"])

    assert redactor.text("true 12345 123456") == f"true 12345 {MARK}"
    assert redactor.too_short == 2


def test_the_longest_of_overlapping_secrets_wins() -> None:
    assert Redactor(["password", "password-extended"]).text("password-extended") == MARK


def test_lines_of_a_key_are_secrets_too() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nshort\n-----END KEY-----\n"

    assert Redactor([key]).text("2026 | MIIEvQIBADANBgkqhkiG9w0BAQ") == f"2026 | {MARK}"


@pytest.mark.parametrize("offset", range(-12, 3))
def test_a_secret_across_two_chunks_is_found(offset: int, tmp_path: Path) -> None:
    path = tmp_path / "log"
    start = (1 << 20) + offset
    path.write_bytes(b"x" * start + b"hunter2hunter2" + b"y" * 10)

    Redactor(["hunter2hunter2"]).file(path)

    assert path.read_bytes() == b"x" * start + MARK.encode() + b"y" * 10


def test_bytes_that_are_no_text_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe hunter22 \x00\x80")

    Redactor(["hunter22"]).file(path)

    assert path.read_bytes() == b"\xff\xfe " + MARK.encode() + b" \x00\x80"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("hunter22")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    Redactor(["hunter22"]).file(tmp_path / "link")

    assert (tmp_path / "real").read_text() == "hunter22"


def test_data_is_redacted_throughout() -> None:
    data = {"a hunter22": ["hunter22", {"b": "x-hunter22"}], "n": 1, "none": None, "t": ("hunter22",)}

    assert Redactor(["hunter22"]).data(data) == {
        f"a {MARK}": [MARK, {"b": f"x-{MARK}"}],
        "n": 1,
        "none": None,
        "t": [MARK],
    }


def test_without_secrets_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("text")

    Redactor().file(path)

    assert Redactor().text("text") == path.read_text() == "text"


def lowered(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


ENCODERS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    quote_plus,
    lambda value: quote(value, safe=""),
    lambda value: lowered(quote(value, safe="")),
    lambda value: lowered(quote_plus(value)),
    lambda value: quote(value, safe="!'()*"),
    lambda value: urlencode({"a": value})[2:],
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: (
        json.dumps(value)[1:-1]
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("'", "\\u0027")
    ),
    html.escape,
    lambda value: html.escape(value, quote=False),
    lambda value: html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    lambda value: saxutils.quoteattr(value + "\"'")[1:-8],
    lambda value: repr(value)[1:-1],
    lambda value: base64.b64encode(value.encode()).decode(),
    lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
)
SECRETS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=6, max_size=40)


@given(
    secrets=st.lists(SECRETS, min_size=1, max_size=4),
    picks=st.lists(st.tuples(st.integers(0, 3), st.integers(0, len(ENCODERS) - 1)), min_size=1, max_size=6),
    pieces=st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_no_form_of_a_secret_comes_out_of_a_stream_whatever_its_pieces(
    secrets: list[str], picks: list[tuple[int, int]], pieces: list[int]
) -> None:
    forms = [ENCODERS[how](secrets[which % len(secrets)]).encode() for which, how in picks]
    data, redactor = b"\n".join((b"", *forms, b"")), Redactor(secrets)
    patient, hasty, out, at_once = redactor.stream(), redactor.stream(), b"", b""
    for size in itertools.cycle(pieces):
        if not data:
            break
        out += patient.feed(data[:size])
        at_once += hasty.feed(data[:size]) + hasty.settle()
        assert at_once.startswith(out), "who does not wait has as much at least"
        data = data[size:]
    out += patient.end()
    assert out.replace(MARK.encode(), b"").split() == []
    assert at_once + hasty.end() == out


@given(
    st.binary(max_size=7),
    SECRETS,
    st.binary(max_size=7),
    st.sampled_from([base64.urlsafe_b64encode, base64.b64encode]),
    st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_base64_at_any_alignment_does_not_give_a_secret_away(
    before: bytes,
    secret: str,
    after: bytes,
    encode: Callable[[bytes], bytes],
    size: int,
) -> None:
    data, stream = encode(before + secret.encode() + after), Redactor([secret]).stream()
    out = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size)) + stream.end()
    assert out.count(MARK.encode()) == 1
    whole_triples = len(secret.encode()) // 3 * 4 - 4
    assert len(data) - len(out.replace(MARK.encode(), b"")) >= whole_triples


def test_hundreds_of_values_each_the_beginning_of_the_next_are_known_too() -> None:
    values = ["a" * length for length in range(6, 1200)]
    assert Redactor(values).text("b" + "a" * 1199 + "b") == f"b{MARK}b"


def wrapped(text: str, width: int) -> str:
    whole = base64.b64encode(text.encode()).decode()
    return "\n".join(whole[begin : begin + width] for begin in range(0, len(whole), width))


@pytest.mark.parametrize("width", [64, 76])
def test_a_long_secret_is_found_in_base64_that_is_wrapped(width: int) -> None:
    secret = "".join(chr(33 + number % 90) for number in range(0, 700, 7))
    for text in (secret, secret + "\n"):
        left = Redactor([secret]).text(wrapped(text, width)).replace(MARK, "").replace("\n", "")
        assert len(left) < 8, left
