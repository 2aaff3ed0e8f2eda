"""The case code, which its owner alone has, and the short reference that two people can say to each other. Pure.

Only the hash of a code travels to the API; the code itself comes back as the bearer of the case. A device makes its
own (base64url); one that a person has to write down is made in the signs of Crockford's base 32.
"""

from __future__ import annotations

import base64
import hashlib
import re

CODE_BYTES = 16
"""Random bytes of a code made for a page: 128 bits."""

_CODE = re.compile(r"[A-Za-z0-9_-]{22,128}")
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")
# Without 0, 1, I, L, O and U: they are misread, or make words.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_BYTES = 8

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("ILO", "110")
_SIGNS = 26


def code_from(random: bytes) -> str:
    """A code of `CODE_BYTES` random bytes that can be written down and typed: 26 signs of Crockford's base 32."""
    if len(random) != CODE_BYTES:
        raise ValueError("a code that is made here has 128 bits")
    number = int.from_bytes(random, "big")
    return "".join(_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(_SIGNS)))


def looks_like_code(text: str) -> bool:
    """Whether this could be a case code: base64url of 128 bits or more."""
    return _CODE.fullmatch(text) is not None


def hash_of(code: str) -> str:
    """What is sent instead of a code: base64url of its SHA-256, 43 characters without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(code.encode()).digest()).rstrip(b"=").decode()


def readings(text: str) -> tuple[str, ...]:
    """What somebody may have meant who typed this: as it stands without blanks, then as a code that was made here."""
    plain = "".join(text.split())
    meant = plain.replace("-", "").upper().translate(_MISREAD)
    if len(meant) == _SIGNS and meant != plain and not set(meant) - set(_CROCKFORD):
        return plain, meant
    return (plain,)


def spaced(code: str) -> str:
    """A code as it is shown: groups of four."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


def looks_like_hash(text: str) -> bool:
    """Whether this could be the hash of a code."""
    return _HASH.fullmatch(text) is not None


def reference_from(random: bytes) -> str:
    """A short name for a case such as `K7MF-3QXA`, of `REFERENCE_BYTES` random bytes. It opens nothing."""
    letters = "".join(_LETTERS[byte % len(_LETTERS)] for byte in random[:REFERENCE_BYTES])
    return f"{letters[:4]}-{letters[4:]}"
