"""The bytes of a tar are read correctly by Python's and the system's tar."""

from __future__ import annotations

import io
import tarfile

import pytest

from gogooku3.recovery.archive.tar import end, extent, header, padding, parse_header


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (8 << 30) - 1, 8 << 30, 1 << 50])
def test_a_header_has_name_and_size_of_any_magnitude(size: int) -> None:
    written = header("store/files/md5/00/1", size)
    with tarfile.open(fileobj=io.BytesIO(written + bytes(512)), mode="r:") as tar:
        read = tar.next()
    assert (read.name, read.size, read.isreg()) == ("store/files/md5/00/1", size, True)
    assert len(written) % 512 == 0
    assert extent("store/files/md5/00/1", size) == len(written) + -(-size // 512) * 512
    assert (size + len(padding(size))) % 512 == 0


@pytest.mark.parametrize("length", [0, 512, 9216, 9728, 10240, 51200])
def test_the_end_fills_a_record_and_is_two_empty_blocks_at_least(length: int) -> None:
    assert not any(end(length))
    assert 1024 <= len(end(length)) < 1024 + 10240
    assert (length + len(end(length))) % 10240 == 0


def test_an_invalid_header_is_none() -> None:
    assert parse_header(header("a", 3)) == ("a", 3)
    assert parse_header(header("a", 3)[:511]) is None
    assert parse_header(bytes(512)) is None
    assert parse_header(b"") is None
