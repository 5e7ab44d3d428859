"""The request of an invocation; the simplest ones need no parser."""

from __future__ import annotations

from credproc.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def plain(argv: Sequence[str]) -> Request | None:
    """Return the request for the instance's role, if that is all there is; else None."""
    return Request().finish() if list(argv) in ([], ["--imds"]) else None


def parsed(argv: Sequence[str]) -> Request:
    """Return the request; for errors see options.parse()."""
    found = plain(argv)
    if found is None:
        from credproc import options  # 10 ms with argparse

        found = options.parse(argv)
    return found
