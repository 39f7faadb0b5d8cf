"""Secrets made anew: the form that was asked for, the same at each call, each value as likely as another."""

from __future__ import annotations

import hashlib
import hmac
import re
import string
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.stacks.secret_rules import ALPHABETS, HEX, SecretRule, Seed, secret_value
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Topology, TopologyError

SEEDS = st.binary(min_size=1, max_size=64)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True)
PRINTABLE = "".join(map(chr, range(32, 127)))
SETS = st.lists(st.sampled_from(PRINTABLE), min_size=2, max_size=90, unique=True).map("".join)


@given(SEEDS, NAMES, st.integers(1, 300), SETS)
def test_a_value_has_the_length_and_the_alphabet_of_its_rule(
    seed: bytes, name: str, length: int, alphabet: str
) -> None:
    value = secret_value(seed, name, SecretRule(length, alphabet))
    assert len(value) == length
    assert set(value) <= set(alphabet)
    assert value == secret_value(seed, name, SecretRule(length, alphabet))


@given(SEEDS, NAMES, st.integers(8, 64))
def test_a_password_has_every_kind_of_character(seed: bytes, name: str, length: int) -> None:
    value = secret_value(seed, name, SecretRule(length, format="password"))
    assert len(value) == length
    for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-._~"):
        assert set(value) & set(kind)


@given(SEEDS, NAMES)
def test_a_uuid_is_one_of_version_4(seed: bytes, name: str) -> None:
    value = uuid.UUID(secret_value(seed, name, SecretRule(format="uuid")))
    assert (value.version, value.variant) == (4, uuid.RFC_4122)


@given(SEEDS, NAMES)
def test_without_a_rule_it_is_the_hmac_itself(seed: bytes, name: str) -> None:
    digest = hmac.new(seed, name.encode(), hashlib.sha256).hexdigest()
    assert secret_value(seed, name) == Seed(seed).secret(name) == digest[:40]
    assert secret_value(seed, name, SecretRule(64)) == digest


@given(SEEDS, NAMES, NAMES, st.integers(16, 64))
def test_another_seed_or_name_is_another_value(seed: bytes, name: str, other: str, length: int) -> None:
    rule = SecretRule(length, ALPHABETS["alphanumeric"])
    values = {secret_value(seed, name, rule), secret_value(b"x" + seed, name, rule)}
    assert len(values) == 2
    assert (secret_value(seed, other, rule) in values) == (name == other)


@given(SEEDS, NAMES, st.integers(1, 40), st.integers(1, 200))
def test_a_longer_value_begins_with_the_shorter_one(seed: bytes, name: str, short: int, more: int) -> None:
    long = secret_value(seed, name, SecretRule(short + more, ALPHABETS["base32"]))
    assert long.startswith(secret_value(seed, name, SecretRule(short, ALPHABETS["base32"])))


@pytest.mark.parametrize("alphabet", ["ab", "abc", ALPHABETS["digits"], ALPHABETS["alphanumeric"], PRINTABLE])
def test_each_character_is_as_likely_as_another(alphabet: str) -> None:
    """Chi-square of 100,000 characters of one seed, so the same each time; up to 5 standard deviations."""
    drawn = "".join(secret_value(b"seed", f"S{n}", SecretRule(1000, alphabet)) for n in range(100))
    expected = len(drawn) / len(alphabet)
    counts = Counter(drawn)
    chi = sum((counts[character] - expected) ** 2 / expected for character in alphabet)
    freedom = len(alphabet) - 1
    assert chi < freedom + 5 * (2 * freedom) ** 0.5


def load(secrets: str) -> Topology:
    text = f"services: {{web: {{image: x, environment: {{KEY: $KEY}}}}}}\nx-understudy: {{secrets: {secrets}}}\n"
    return read(text, "compose.yaml", variables={"KEY": "of-production"}, read_file={}.get)


@pytest.mark.parametrize(
    ("given", "rule", "pattern"),
    [
        ("[KEY]", HEX, "[0-9a-f]{40}"),
        ("{KEY: }", HEX, "[0-9a-f]{40}"),
        ("{KEY: {length: 12, alphabet: digits}}", SecretRule(12, string.digits), "[0-9]{12}"),
        ("{KEY: {length: 20, alphabet: abcXYZ}}", SecretRule(20, "abcXYZ"), "[abcXYZ]{20}"),
        ("{KEY: {alphabet: base64url}}", SecretRule(None, ALPHABETS["base64url"]), "[A-Za-z0-9_-]{40}"),
        ("{KEY: {format: uuid}}", SecretRule(format="uuid"), "[0-9a-f-]{36}"),
        ("{KEY: {format: password}}", SecretRule(format="password"), "[A-Za-z0-9._~-]{24}"),
        (
            "{KEY: {format: 'sk_test_{}', length: 24, alphabet: alphanumeric}}",
            SecretRule(24, ALPHABETS["alphanumeric"], "sk_test_{}"),
            "sk_test_[A-Za-z0-9]{24}",
        ),
    ],
)
def test_a_document_says_how_a_secret_looks(given: str, rule: SecretRule, pattern: str) -> None:
    found = load(given)
    assert found.secrets == ("KEY",)
    assert found.secret_rules.get("KEY", HEX) == rule
    assert re.fullmatch(pattern, Seed(b"seed", found.secret_rules).secret("KEY"))
    assert found.places["x-understudy.secrets.KEY"].place.startswith("compose.yaml:2:")


@pytest.mark.parametrize(
    ("given", "rules", "stores"),
    [
        ("{KEY: {on_aws: parameter}}", {}, {"KEY": "parameter"}),
        ("{KEY: {on_aws: secret, length: 8}}", {"KEY": SecretRule(8)}, {"KEY": "secret"}),
        ("{KEY: {on_aws: , format: uuid}}", {"KEY": SecretRule(format="uuid")}, {}),
    ],
)
def test_a_document_says_what_keeps_a_secret_on_aws(
    given: str, rules: dict[str, SecretRule], stores: dict[str, str]
) -> None:
    found = load(given)
    assert (found.secret_rules, found.secret_stores) == (rules, stores)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{KEY: {on_aws: vault}}", "'vault' is not allowed; allowed are secret, parameter"),
        ("{KEY: {length: 0}}", "whole number from 1"),
        ("{KEY: {length: 5000}}", "length is 1 to 1024"),
        ("{KEY: {alphabet: a}}", "at least two characters"),
        ("{KEY: {alphabet: aab}}", "each once"),
        ('{KEY: {alphabet: "a\\tb"}}', "printable"),
        ("{KEY: {format: guid}}", "'guid' is no format; allowed are uuid, password, or a text with {} once"),
        ("{KEY: {format: '{}{}'}}", "no format"),
        ("{KEY: {format: uuid, length: 3}}", "leave out 'length' and 'alphabet'"),
        ("{KEY: {format: password, alphabet: abc}}", "leave out 'alphabet'"),
        ("{KEY: {format: password, length: 7}}", "at least 8"),
        ("{KEY: {size: 3}}", "'size' is not known here; allowed are length, alphabet, format, on_aws"),
        ("{'1K': }", "no name of a variable"),
        ("{OTHER: }", "'OTHER' is neither a variable"),
        ("KEY", "allowed is a list"),
    ],
)
def test_a_rule_that_is_none_is_refused_in_its_place(given: str, message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)) as caught:
        load(given)
    assert str(caught.value).startswith("compose.yaml:2:")
