"""The command: answer from the cache, else hand over to the full command line."""

from __future__ import annotations

import os
import sys
import time

from credproc import cache, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main() -> int:
    """Run credproc and return its exit status."""
    argv, environ = sys.argv[1:], os.environ
    try:
        status = hit(argv, environ, time.time())
        if status is None:
            # Everything that a hit does not need is behind this line: 10 ms to 150 ms of imports,
            # inside the try, so that Ctrl-C while they load is quiet.
            from credproc import cli

            status = cli.main(argv, environ)
        return status
    except KeyboardInterrupt:
        return 130


def hit(argv: Sequence[str], environ: Mapping[str, str], now: float) -> int | None:
    """Print the fresh document of an ordinary request, or decline with None."""
    asked = request.read(argv)
    if asked is None or environ.get("CREDPROC_LOG"):
        return None
    folder = cache.directory(environ, asked.cache_dir)
    if not folder:
        return None
    entry = cache.Cache(folder).read(request.identity(asked, environ))
    verdict = entry.judge(now) if entry else cache.ABSENT
    if entry is None or verdict not in (cache.FRESH, cache.AHEAD):
        return None
    try:
        os.write(1, entry.document)
    except OSError:
        return None  # the full command line meets the same error, and has words for it
    if verdict == cache.AHEAD:
        from credproc import background  # with fcntl 1 ms, and only by the run that is first

        background.start(folder, entry, argv, environ)
    return 0


if __name__ == "__main__":
    sys.exit(main())
