"""Text that anybody may have written ends in an error or a value, in short time."""

from __future__ import annotations

import hashlib
import time

import pytest
import yaml

from gogooku3.errors import DataError
from gogooku3.recovery.releases.record import parse
from gogooku3.recovery.reproduction.pipeline import stages
from gogooku3.recovery.storage.listing import entries
from gogooku3.recovery.untrusted import load_yaml

BILLION_LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))

HOSTILE = {
    "aliases": BILLION_LAUGHS,
    "an alias of itself": "a: &a [*a]\n",
    "deep": "a: " + "[" * 10_000 + "]" * 10_000,
    "deep mappings": "".join(f"{' ' * level}a:\n" for level in range(500)),
    "a long integer": f"a: {'9' * 10_000}\n",
    "an object": "a: !!python/object/apply:os.system [true]\n",
    "a date that is none": "a: 2024-99-99\n",
    "not closed": "a: [1, 2\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_yaml_is_an_error_in_short_time(text: str) -> None:
    began = time.process_time()
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_lock_file_is_an_error_of_the_data(text: str) -> None:
    with pytest.raises(DataError):
        stages(f"stages:\n  a:\n    deps: 1\n{text}")


def test_plain_values_are_read() -> None:
    assert load_yaml(b"a: [1, 0.5, x]\nb: {c: null, d: 2024-01-31}\n")["a"] == [1, 0.5, "x"]
    assert load_yaml("") is None


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000, b"9" * 10_000])
def test_a_hostile_listing_is_not_a_valid_one(content: bytes) -> None:
    assert entries(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir", content) is None


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 10_000, '{"a":' * 50_000, "{" * 1000 + "}" * 1000])
def test_a_hostile_record_is_no_record(value: str) -> None:
    assert parse(f'text\n\nrecord: {{"tier": {value}}}\n') is None
