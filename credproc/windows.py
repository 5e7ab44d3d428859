"""When to refresh credentials: the refresh windows of an entry, and the time of a retry.

Times are epoch seconds. Nothing here reads a clock.
"""

from __future__ import annotations

import os

#: Seconds before expiration. With less left, botocore runs the process again for every request.
SIGNING = 900
#: Seconds before expiration: to refresh in the background, and before printing (a minute before
#: SIGNING).
REFRESH_AHEAD = 1800
REFRESH_NOW = 960
#: Seconds. The longest possible session (GetSessionToken).
LONGEST = 36 * 3600
#: Seconds between a failed refresh and the next try, on average.
RETRY = 60
#: Seconds. How long a failure is cached, on average.
FAILURE_TTL = 3


def jitter() -> float:
    """Return a random number from 0 to 1."""
    return int.from_bytes(os.urandom(4), "big") / 2**32  # without the 2 ms of importing random


def windows(issued: int, expiration: int, draw: float) -> tuple[int, int]:
    """Return when to refresh in the background and when to refresh before printing.

    ``draw``, 0 to 1, shortens the first window by up to a tenth, so that hosts that started
    together do not call STS together. A lifetime longer than any AWS session counts as LONGEST.
    """
    expiration = min(expiration, issued + LONGEST)
    lifetime = expiration - issued
    ahead = min(REFRESH_AHEAD, lifetime / 2) * (1 - draw / 10)
    return int(expiration - ahead), int(expiration - min(REFRESH_NOW, lifetime / 4))


def retry_at(now: float, expiration: int, draw: float) -> int:
    """Return when to try again after a refresh that failed or returned nothing newer.

    In a minute, plus or minus a quarter; sooner if little time is left.
    """
    return int(now + min(RETRY * (0.75 + draw / 2), max(expiration - now, 0) / 4))


def failure_expiry(now: float, draw: float) -> int:
    """Return when a cached failure expires: after some seconds."""
    return int(now + FAILURE_TTL * (0.5 + draw)) + 1


def static_stability(now: float, draw: float) -> int:
    """Return the expiration to print for credentials that had expired when IMDS returned them.

    IMDS keeps serving credentials that it cannot renew and that AWS still accepts. Consumers reject
    expired credentials, and run the process for every request below 15 minutes: so 15 to 20 minutes
    from now.
    """
    return int(now + SIGNING + 300 * draw) + 1
