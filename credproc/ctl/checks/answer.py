"""What is cached for the command line: its age, its windows, the next refresh."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from credproc import answer as answers
from credproc import cache
from credproc.ctl import commandline, witnesses
from credproc.ctl.cached import renewal
from credproc.ctl.checks import FAIL, OK, WARN, Check
from credproc.ctl.output import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.ctl.checks import Case

#: The number of runs: the first one reads from the disk.
RUNS = 3


def cached(case: Case) -> Iterator[Check]:
    """Check the answer that a run would find."""
    if case.target is None or case.store is None or not case.store.path:
        return
    if case.target.request.no_cache:
        return
    now = time.time()
    entry = case.store.read(answers.key(case.target.argv, case.environ))
    if entry is None:
        yield Check(OK, "cached", "never: long-term keys are not cached" if case.long_term else
                    "nothing yet for this command line; the next run caches it")  # fmt: skip
        return
    changed = witnesses.changes(entry.witnesses, case.environ)
    if changed:
        yield Check(OK, "cached", f"no longer valid ({'; '.join(changed)}); the next run makes a "
                    "new answer, from cached sessions where they are still valid")  # fmt: skip
        return
    if not entry.document:
        again = max(entry.look - now, 0)
        yield Check(WARN, "cached", f"only a failure: {entry.failure}",
                    f"retried in {span(again)}, or now with --refresh")  # fmt: skip
        return
    verdict = entry.judge(now)
    left = entry.expiration - now
    if verdict == cache.EXPIRED:
        yield Check(OK, "cached", f"expired {span(left)} ago; the next run fetches")
        return
    renewed = ", ".join(renewal(entry, now, since=now)) or "before printing"
    text = f"{span(left)} left of {span(entry.expiration - entry.issued)}; refreshed {renewed}"
    if entry.failure:
        yield Check(WARN, "cached", f"{text}; the last refresh failed: {entry.failure}",
                    "the cached credentials are printed until they expire")  # fmt: skip
    else:
        yield Check(OK, "cached", text)
    if verdict == cache.FRESH and case.target.line:
        yield _hit(case, case.target.line)


def _hit(case: Case, line: str) -> Check:
    """Run the profile's command as botocore does; its answer is cached, so nothing is fetched."""
    times = []
    for _ in range(RUNS):
        begin = time.monotonic()
        try:
            done = case.started(commandline.split(line))
        except subprocess.TimeoutExpired:
            late = f"the profile's command ran for more than {case.patience:g} s"
            return Check(FAIL, "run", late)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Check(FAIL, "run", f"the profile's command cannot be started: {why}")
        times.append(time.monotonic() - begin)
        if done.returncode or done.stderr or not done.stdout.startswith(b'{"Version": 1,'):
            output = done.stderr.decode("utf-8", "replace").strip() or "nothing on stderr"
            text = f"the profile's command fails (status {done.returncode}): {output}"
            return Check(FAIL, "run", case.shown(Exception(text)))
    return Check(OK, "run", f"the profile's command prints the cached answer in "
                 f"{min(times) * 1000:.0f} ms")  # fmt: skip
