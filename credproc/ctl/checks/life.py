"""What is held for the command line: its age, its windows, the next refresh."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from credproc import cache
from credproc.ctl import commandline
from credproc.ctl.checks import FAIL, OK, WARN, Check
from credproc.ctl.held import renewal
from credproc.ctl.output import span
from credproc.identity import of_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.ctl.checks import Case

#: Seconds for one run, and how many runs: the first reads from the disk.
PATIENCE, RUNS = 20, 3


def held(case: Case) -> Iterator[Check]:
    """Check the entry that a run would find."""
    if case.target is None or case.store is None or not case.store.path:
        return
    if case.target.request.no_cache:
        return
    now = time.time()
    entry = case.store.read(of_request(case.target.request, case.environ))
    if entry is None:
        yield Check(OK, "held", "nothing yet; the next run asks, and keeps the answer")
        return
    if not entry.document:
        again = max(entry.look - now, 0)
        yield Check(WARN, "held", f"nothing but a failure: {entry.failure}",
                    f"asked again in {span(again)}, or now with --refresh")  # fmt: skip
        return
    verdict = entry.judge(now)
    left = entry.expiration - now
    if verdict == cache.EXPIRED:
        yield Check(OK, "held", f"expired {span(left)} ago; the next run asks")
        return
    renewed = ", ".join(renewal(entry, now, since=now)) or "before printing"
    text = f"{span(left)} left of {span(entry.expiration - entry.issued)}; refreshed {renewed}"
    if entry.failure:
        yield Check(WARN, "held", f"{text}; the last refresh failed: {entry.failure}",
                    "what is held is printed until its end")  # fmt: skip
    else:
        yield Check(OK, "held", text)
    if verdict == cache.FRESH and case.target.line:
        yield _hit(case, case.target.line)


def _hit(case: Case, line: str) -> Check:
    """Run the profile's command as botocore does, while that asks nobody anything."""
    times = []
    for _ in range(RUNS):
        begin = time.monotonic()
        try:
            done = subprocess.run(
                commandline.split(line),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
                env=dict(case.environ),
            )
        except subprocess.TimeoutExpired:
            return Check(FAIL, "run", f"the profile's command ran for more than {PATIENCE} s")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Check(FAIL, "run", f"the profile's command cannot be started: {why}")
        times.append(time.monotonic() - begin)
        if done.returncode or done.stderr or not done.stdout.startswith(b'{"Version": 1,'):
            said = done.stderr.decode("utf-8", "replace").strip() or "nothing on stderr"
            text = f"the profile's command fails (status {done.returncode}): {said}"
            return Check(FAIL, "run", case.said(Exception(text)))
    return Check(OK, "run", f"the profile's command answers from the cache in "
                 f"{min(times) * 1000:.0f} ms")  # fmt: skip
