"""The command: answer from the cache, else hand over to the full command line.

A hit imports this, answer, cache and system, and nothing that a bare interpreter has not loaded.
"""

# What signal is made of: a bare interpreter has loaded it.
import _signal  # type: ignore[import-not-found]
import os
import sys
import time

try:
    from credproc import answer, cache
except KeyboardInterrupt:  # as early as it can be heard
    os._exit(130)

#: Seconds that a run may take without --timeout; request.DEFAULT_TIMEOUT.
TIMEOUT = 45

#: Made while there is some; the full command line has not come far enough to say anything.
NO_MEMORY = b"credproc: there is not enough memory (see ulimit -v, or the container's limit)\n"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main() -> int:
    """Run credproc and end the process."""
    try:
        status = run(sys.argv[1:], os.environ)
    except KeyboardInterrupt:
        status = 130
    except MemoryError:
        status = 1
        os.write(2, NO_MEMORY)
    if sys.gettrace() is None and sys.getprofile() is None:
        # Nothing is buffered. Taking an interpreter apart costs 3 ms, with botocore 45, and would
        # wait for work that is stuck, obey PYTHONINSPECT, and answer Ctrl-C with a traceback.
        os._exit(status)
    return status


def run(argv: "Sequence[str]", environ: "Mapping[str, str]") -> int:
    """Answer from the cache, or else by the full command line; return the exit status."""
    status = hit(argv, environ, time.time())
    return hand_over(argv, environ) if status is None else status


def hand_over(
    argv: "Sequence[str]", environ: "Mapping[str, str]", in_background: bool = False
) -> int:
    """Answer by the full command line; return the exit status."""
    # Everything that a hit does not need is behind this line: 10 ms to 150 ms of imports.
    _trust(sys.path)
    from credproc import supervision

    supervision.on_signals()  # before the rest, so that Ctrl-C while it loads is quiet
    from credproc import cli

    return cli.main(argv, environ, in_background)


def hit(argv: "Sequence[str]", environ: "Mapping[str, str]", now: float) -> "int | None":
    """Print the fresh answer of this exact invocation, or decline with None."""
    if environ.get("CREDPROC_LOG") or any(word in answer.ONCE for word in argv):
        return None
    folder = cache.directory(environ, answer.option(argv, "--cache-dir"))
    if not folder:
        return None
    entry = answer.current(cache.Cache(folder).read(answer.key(argv, environ)), environ)
    verdict = entry.judge(now) if entry else cache.ABSENT
    if entry is None or verdict not in (cache.FRESH, cache.AHEAD):
        return None
    _signal.signal(_signal.SIGALRM, _unread)
    _signal.setitimer(_signal.ITIMER_REAL, float(answer.option(argv, "--timeout") or TIMEOUT))
    try:
        rest = entry.document[os.write(1, entry.document) :]
    except OSError:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        return None  # the full command line meets the same error, and has words for it
    if rest:
        from credproc import cli  # the disk is full, or nearly

        return cli.write_rest(rest)
    if verdict == cache.AHEAD:
        from credproc import background  # with fcntl 1 ms, and only by the run that is first

        _signal.signal(_signal.SIGALRM, _exit)  # a lock that hangs delays no tool
        background.start(folder, entry, argv, lambda: hand_over(argv, environ, in_background=True))
    return 0


def _unread(*_: object) -> None:
    """End the run: the document did not go into the pipe within --timeout."""
    from credproc import cli

    os._exit(cli.unread())


def _exit(*_: object) -> None:
    """End the run, whose document is out."""
    os._exit(0)


def _trust(path: list[str]) -> None:
    """Put what PYTHONPATH and the script's folder add to the module path behind everything else.

    So no json.py or botocore.py there is taken for the real one. Not if credproc itself is there:
    whoever put it there means it.
    """
    home = os.path.dirname(os.path.dirname(__file__))
    library = os.path.dirname(os.__file__)
    zipped = library + f"/../python{sys.version_info[0]}{sys.version_info[1]}.zip"
    front = path[: path.index(library)] if library in path else []
    front = [folder for folder in front if folder != os.path.normpath(zipped)]
    if home not in front:
        path[:] = [folder for folder in path if folder not in front] + front


if __name__ == "__main__":
    sys.exit(main())
