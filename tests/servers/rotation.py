"""The credentials of an instance's role: which set is served when, and what is in it."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: IMDS shows a new set at least this long before the old one ends.
OVERLAP = 300.0


def iso(moment: float) -> str:
    """Return the time as AWS writes it: UTC, whole seconds, Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def made_up(seed: str, prefix: str = "ASIA") -> dict[str, str]:
    """Return keys that are always the same for a seed, and recognizable wherever they leak."""
    digest = hashlib.shake_256(seed.encode()).digest(450)
    return {
        "AccessKeyId": prefix + base64.b32encode(digest[:10]).decode(),
        "SecretAccessKey": "canarySecret" + base64.b64encode(digest[10:31]).decode(),
        "Token": "canaryToken" + base64.b64encode(digest[31:]).decode(),
    }


class Rotation:
    """Sets of credentials that follow one another by the clock."""

    def __init__(
        self,
        account: str,
        lifetime: float,
        rotate: float,
        clock: Callable[[], float],
        mint: Callable[[str], dict[str, str] | None] | None = None,
    ) -> None:
        self.lifetime = lifetime
        #: Seconds from one set to the next; short lifetimes turn at half.
        self.rotate = min(rotate, max(lifetime - OVERLAP, lifetime / 2))
        self.frozen = False
        self._account = account
        self._clock = clock
        self._mint = mint
        self._lock = threading.Lock()
        self._generation = 0
        self._issued = clock()
        self._minted: dict[tuple[str, int], dict[str, str] | None] = {}

    @property
    def generation(self) -> int:
        """The number of the set served now, from 0."""
        with self._lock:
            self._advance()
            return self._generation

    @property
    def expires(self) -> float:
        """When the set served now ends."""
        with self._lock:
            self._advance()
            return self._issued + self.lifetime

    def turn(self) -> None:
        """Issue the next set now."""
        with self._lock:
            self._advance()
            self._generation += 1
            self._issued = self._clock()

    def _advance(self) -> None:
        turns = int((self._clock() - self._issued) // self.rotate)
        if turns > 0 and not self.frozen:
            self._generation += turns
            self._issued += turns * self.rotate

    def current(self, role: str) -> dict[str, Any]:
        """Return the set served now for the role, as IMDS shows it."""
        with self._lock:
            self._advance()
            keys = self._keys(role)
            issued = self._issued
        return {
            "Code": "Success",
            "LastUpdated": iso(issued),
            "Type": "AWS-HMAC",
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["Token"],
            "Expiration": keys.get("Expiration", iso(issued + self.lifetime)),
        }

    def _keys(self, role: str) -> dict[str, str]:
        key = (role, self._generation)
        if key not in self._minted:
            self._minted[key] = self._mint(role) if self._mint else None
        return self._minted[key] or made_up(f"{self._account}/{role}/{self._generation}")
