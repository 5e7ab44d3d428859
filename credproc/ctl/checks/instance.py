"""The instance's role, if the profile gives another one but tools might use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc.ctl import origins
from credproc.ctl.checks import WARN, Check
from credproc.errors import CredprocError
from credproc.providers import imds
from credproc.providers.imdssettings import IPV4, IPV6, settings
from credproc.request import Imds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from credproc.ctl.checks import Case
    from credproc.run import Run

#: How the firmware identifies an EC2 instance: a file, and text in it. Nitro, then Xen.
FIRMWARE = (
    ("/sys/class/dmi/id/sys_vendor", "Amazon EC2"),
    ("/sys/class/dmi/id/bios_version", "amazon"),
)


#: What to do, by whether the profile calls IMDS, too, for a chain of roles.
WITHOUT_IMDS = "set AWS_EC2_METADATA_DISABLED=true where they run (credprocctl exec does)"
WITH_IMDS = "name the credential_process provider in those tools, or use credprocctl exec --env"


def other_role(case: Case) -> Iterator[Check]:
    """Warn if the instance has a role that the profile never gives.

    Some tools use that role, without an error, when credproc fails. IMDS is not called where it may
    be missing, because that would take seconds.
    """
    if case.target is None or case.shared is None:
        return
    run = case.run()
    providers = case.target.request.providers
    given = {each.role for each in providers if isinstance(each, Imds)}
    if "" in given:
        return
    others = [each for each in providers if not isinstance(each, Imds)]
    starts = origins.sources(run, case.shared, others, [case.target.profile])
    starts_there = "imds" in starts
    if "" in starts or (starts_there and not all(roles.hops for _, _, roles in case.chains())):
        return
    try:
        # If the profile calls IMDS, a provider has done so, and noted its time if it answered.
        near = "IMDS" in case.dates if given or starts_there else _is_near(run)
        role = imds.role_name(run) if near else ""
    except CredprocError:
        return
    if role and role not in given:
        used = "uses only to assume another" if starts_there else "does not use"
        yield Check(WARN, "instance", f"this instance has the role {role}, which this profile "
                    f"{used}: if credproc fails, some tools continue as {role} without an error "
                    "(see credproc-tools(7))", WITH_IMDS if starts_there else WITHOUT_IMDS
                    )  # fmt: skip


def _is_near(run: Run) -> bool:
    """Whether IMDS is likely to answer: on an EC2 instance, or at an address that the user set."""
    return settings(run.environ, run.log).address not in (IPV4, IPV6) or is_ec2()


def is_ec2(firmware: Iterable[tuple[str, str]] = FIRMWARE) -> bool:
    """Whether this machine is an EC2 instance, according to its firmware."""
    for path, words in firmware:
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                if words in file.read(200):
                    return True
        except OSError:
            continue
    return False
