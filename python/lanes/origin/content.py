"""The bodies the origin sends, known beforehand to whoever asks for them.

Byte i of a body is byte (seed + i) of one fixed pseudo-random block, repeated for ever: a body of any size costs no
memory and can be entered anywhere. The block's length is prime, so that a piece sent twice, left out or misplaced by
any round number of bytes changes the checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache

PIECE = 256 * 1024
"""The longest piece that is a view of the block, not a copy."""

_LENGTH = 1_048_573  # the largest prime below 1 MiB


def body(size: int, seed: int = 0) -> bytes:
    """The body of that size and seed."""
    return b"".join(_pieces(size, seed))


def crc32(size: int, seed: int = 0) -> int:
    """`zlib.crc32` of that body, without making the body."""
    crc = 0
    for piece in _pieces(size, seed):
        crc = zlib.crc32(piece, crc)
    return crc


def view(at: int, length: int) -> memoryview:
    """`length` bytes, at most PIECE of them, from byte `at` of the endless block."""
    at %= _LENGTH
    return _block()[at : at + length]


def _pieces(size: int, seed: int) -> Iterator[memoryview]:
    for at in range(0, size, PIECE):
        yield view(seed + at, min(PIECE, size - at))


@lru_cache(maxsize=1)
def _block() -> memoryview:
    """The block, followed by its own beginning so that a view from any byte of it is in one piece."""
    import hashlib  # only for those who make or check a body

    block = hashlib.shake_128(b"lanes").digest(_LENGTH)
    return memoryview(block + block[:PIECE])
