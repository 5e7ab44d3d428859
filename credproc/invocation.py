"""An invocation, as the request that it makes; the plainest ones need no parser."""

from __future__ import annotations

from credproc.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def plain(argv: Sequence[str]) -> Request | None:
    """Return the request for the instance's role, and nothing else; None for every other one."""
    return Request().finish() if list(argv) in ([], ["--imds"]) else None


def parsed(argv: Sequence[str]) -> Request:
    """Return the request; for errors see options.parse()."""
    found = plain(argv)
    if found is None:
        from credproc import options  # with argparse 10 ms

        found = options.parse(argv)
    return found
