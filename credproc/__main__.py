"""The command: print the cached answer, or else hand over to the full command line.

A hit imports this, answer, cache and system, and nothing else that a bare interpreter has not
loaded.
"""

# The C module behind signal, which a bare interpreter has loaded.
import _signal  # type: ignore[import-not-found]
import os
import sys
import time

try:
    from credproc import answer, cache
except KeyboardInterrupt:  # as early as possible
    os._exit(130)

#: Seconds that a run may take without --timeout; request.DEFAULT_TIMEOUT.
TIMEOUT = 45

#: Prepared while there is memory; it is printed before the full command line can report anything.
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
        # Nothing is buffered. Finalizing the interpreter costs 3 ms, with botocore 45, and would
        # wait for threads that hang, obey PYTHONINSPECT, and answer Ctrl-C with a traceback.
        os._exit(status)
    return status


def run(argv: "Sequence[str]", environ: "Mapping[str, str]") -> int:
    """Answer from the cache, or else with the full command line; return the exit status."""
    status = hit(argv, environ, time.time())
    return hand_over(argv, environ) if status is None else status


def hand_over(
    argv: "Sequence[str]", environ: "Mapping[str, str]", in_background: bool = False
) -> int:
    """Answer with the full command line; return the exit status."""
    # Everything that a hit does not need is imported from here on: 10 ms to 150 ms.
    _trust(sys.path)
    from credproc import supervision

    supervision.on_signals()  # before the rest, so that Ctrl-C while it loads is quiet
    from credproc import cli

    return cli.main(argv, environ, in_background)


def hit(argv: "Sequence[str]", environ: "Mapping[str, str]", now: float) -> "int | None":
    """Print the fresh cached answer of this exact invocation; return None if there is none."""
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
        return None  # the full command line meets the same error and reports it
    if rest:
        from credproc import cli  # the disk is full, or nearly

        return cli.write_rest(rest)
    if verdict == cache.AHEAD:
        from credproc import background  # with fcntl 1 ms, and only in the first such run

        _signal.signal(_signal.SIGALRM, _exit)  # so that a lock that hangs delays no tool
        background.start(folder, entry, argv, lambda: hand_over(argv, environ, in_background=True))
    return 0


def _unread(*_: object) -> None:
    """End the run: the pipe did not take the document within --timeout."""
    from credproc import cli

    os._exit(cli.unread())


def _exit(*_: object) -> None:
    """End the run, which has printed its document."""
    os._exit(0)


def _trust(path: list[str]) -> None:
    """Move what PYTHONPATH and the script's directory add to the module path to its end.

    So a json.py or botocore.py there does not replace the real one. If credproc itself is there,
    that is intended, and nothing is moved.
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
