"""When credentials are renewed: the refresh windows of an entry, and when to look again.

Times are epoch seconds. Nothing here reads a clock.
"""

from __future__ import annotations

import os

#: Seconds before expiration. With less left botocore runs the process again at every signing.
SIGNING = 900
#: Seconds before expiration; the second a minute before SIGNING.
REFRESH_AHEAD = 1800
REFRESH_NOW = 960
#: Seconds. The longest session there is (GetSessionToken).
LONGEST = 36 * 3600
#: Seconds between a refresh that failed and the next try, on average.
RETRY = 60
#: Seconds. How long a failure answers for itself, on average.
MEMORY = 3


def jitter() -> float:
    """Return a number from 0 to 1, drawn anew each time."""
    return int.from_bytes(os.urandom(4), "big") / 2**32  # without the 2 ms of importing random


def windows(issued: int, expiration: int, draw: float) -> tuple[int, int]:
    """Return when to refresh ahead and when to refresh before printing.

    ``draw``, 0 to 1, shortens the first window by up to a tenth, so that hosts which started
    together do not call STS together. What claims to live for longer than any session of AWS's is
    renewed as if it did not.
    """
    expiration = min(expiration, issued + LONGEST)
    lifetime = expiration - issued
    ahead = min(REFRESH_AHEAD, lifetime / 2) * (1 - draw / 10)
    return int(expiration - ahead), int(expiration - min(REFRESH_NOW, lifetime / 4))


def next_look(now: float, expiration: int, draw: float) -> int:
    """Return when to look again after a refresh that failed or brought nothing newer.

    In a minute, give or take a quarter; sooner if little remains.
    """
    return int(now + min(RETRY * (0.75 + draw / 2), max(expiration - now, 0) / 4))


def forgotten(now: float, draw: float) -> int:
    """Return when a failure no longer answers for the next run: after some seconds."""
    return int(now + MEMORY * (0.5 + draw)) + 1


def static_stability(now: float, draw: float) -> int:
    """Return the expiration to print for credentials that IMDS itself handed out expired.

    IMDS goes on serving a set that AWS still honours when it cannot renew it. Consumers refuse what
    has expired, and ask again at every signing below 15 minutes: so 15 to 20 minutes from now.
    """
    return int(now + SIGNING + 300 * draw) + 1
