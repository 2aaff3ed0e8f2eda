"""Chance of a simulated run comes from its seed: ids, codes, keys and nonces are the same when it is run again.

`install` puts a seeded stream in the place of the operating system's, before anything of the product is imported.
Nothing of the product knows of it.
"""

from __future__ import annotations

import os
import random


class Stream:
    """Bytes that follow from the last `seed`."""

    def __init__(self) -> None:
        """Nothing may be drawn before it is seeded."""
        self._random: random.Random | None = None

    def seed(self, number: int) -> None:
        """From now on the bytes are those of this number."""
        self._random = random.Random(number)

    def draw(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self._random is None:
            raise RuntimeError("seed the stream first")
        return self._random.randbytes(size)


STREAM = Stream()


def install() -> None:
    """From now on `os.urandom`, and with it `secrets` and `uuid4`, answer from `STREAM`, seeded with 0 for a start."""
    STREAM.seed(0)
    vars(os)["urandom"] = STREAM.draw
    # What the module took over when it was imported.
    vars(random)["_urandom"] = STREAM.draw
