"""Passwords: argon2id, a few at a time, and as slow for names that do not exist as for those that do."""

import threading
from typing import NewType

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from models.domain.errors import InputError

Hashed = NewType("Hashed", str)
"""A password as it is stored. Made before a transaction begins: hashing takes long, and may have to wait."""
SHORTEST = 12
LONGEST = 256
_HASHER = PasswordHasher()
"""RFC 9106, second recommended choice: 64 MiB, 3 passes, 4 lanes; some 0.1 s of a core."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""A flood of logins must not take all memory and every core: the others wait."""
_NOBODY = _HASHER.hash("no password is this one: it is compared where there is no user")


def hash_password(password: str) -> Hashed:
    """What is stored of a password.

    Raises:
        InputError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(
            "password has the wrong length",
            expected=f"{SHORTEST} to {LONGEST} characters",
            got=str(len(password)),
            remedy="a sentence of four words is easy to keep in mind",
            code="password-length",
        )
    with _AT_ONCE:
        return Hashed(_HASHER.hash(password))


def fits(password: str, stored: str | None) -> bool:
    """Whether the password is the stored one; takes as long where nothing is stored."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(stored or _NOBODY, password[: LONGEST + 1]) and stored is not None
        except (VerifyMismatchError, InvalidHashError):
            return False
