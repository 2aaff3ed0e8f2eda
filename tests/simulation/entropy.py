"""Chance of a simulated run comes from its seed: ids, codes, keys and nonces are the same when it is run again.

`install` puts a seeded stream in the place of the operating system's, before anything of the product is imported.
Nothing of the product knows of it.
"""

from __future__ import annotations

import os
import random
from uuid import UUID

from uuid_utils import compat

HANDSHAKE = 24
"""Bytes that asyncpg draws for a new connection to PostgreSQL, and nobody else: when one is made depends on time."""
_REAL = os.urandom


class Stream:
    """Bytes that follow from the last `seed`."""

    def __init__(self) -> None:
        """Nothing may be drawn before it is seeded."""
        self._random: random.Random | None = None
        self._made = 0

    def seed(self, number: int) -> None:
        """From now on the bytes are those of this number."""
        self._random = random.Random(number)

    def draw(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size == HANDSHAKE:
            return _REAL(size)
        if self._random is None:
            raise RuntimeError("seed the stream first")
        return self._random.randbytes(size)

    def restart(self) -> None:
        """Ordered ids begin anew; only where none of before is left."""
        self._made = 0

    def ordered(self) -> UUID:
        """A UUIDv7 (RFC 9562) that sorts behind all that were made before, as those of one process do."""
        self._made += 1
        chance = int.from_bytes(self.draw(10)) & ~(3 << 62) & ((1 << 74) - 1)
        return UUID(
            int=(_EPOCH_MS + self._made) << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (1 << 62) - 1
        )


_EPOCH_MS = 1_767_600_000_000
STREAM = Stream()


def install() -> None:
    """From now on `os.urandom`, and with it `secrets` and `uuid4`, answer from `STREAM`; true chance seeds it first."""
    STREAM.seed(int.from_bytes(_REAL(16)))
    vars(os)["urandom"] = STREAM.draw
    # What the module took over when it was imported.
    vars(random)["_urandom"] = STREAM.draw
    # It draws in a language of its own.
    vars(compat)["uuid7"] = STREAM.ordered
