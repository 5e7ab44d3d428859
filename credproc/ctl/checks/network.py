"""The connection to STS (region, endpoint, proxy, TLS), and the clocks of services."""

from __future__ import annotations

import email.utils
import os
from typing import TYPE_CHECKING

from credproc import proxies
from credproc.ctl.aws import Refused, call
from credproc.ctl.checks import FAIL, OK, WARN, Check
from credproc.errors import CredprocError, clean
from credproc.providers import imds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.ctl.checks import Case
    from credproc.providers.botofaults import LastResponse
    from credproc.providers.sharedconfig import SharedConfig

#: Seconds that a clock may be off, and from which on signatures are refused: STS itself accepts
#: up to a quarter of an hour, but most services, which get the credentials, only five minutes.
NOTED, REFUSED = 60, 300

PROXIES = ("https_proxy", "HTTPS_PROXY")
BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def sts(case: Case) -> Iterator[Check]:
    """Check the connection to STS, without credentials: any response of STS will do."""
    regions: dict[tuple[str, str], tuple[str, SharedConfig, int]] = {}
    for profile, name, why, shared, assumed in _regions(case):
        known = regions[profile, name][2] if (profile, name) in regions else 0
        regions[profile, name] = why, shared, max(assumed, known)
    if not regions:
        return
    yield from _settings(case)
    for (_, name), (why, shared, assumed) in regions.items():
        check = _reached(case, shared, name, why)
        if assumed and check.status == FAIL:
            # Substitutes for STS (moto, LocalStack) do not answer every unsigned call.
            check = Check(OK, "STS", f"role {assumed} was just assumed there (region {name}, "
                          f"{why}); it does not answer unsigned requests")  # fmt: skip
        yield check


def _regions(case: Case) -> Iterator[tuple[str, str, str, SharedConfig, int]]:
    """Yield the regions whose STS the roles need: profile, region, reason, config, role.

    The role is the number of the one that was just assumed there, 0 if none was.
    """
    for place, run, roles in case.chains():
        profile = roles.source.profile
        for number in range(1, len(roles.hops) + 1):
            try:
                name, why = roles.region(run, number)
                name = name or imds.region(run, profile)
            except CredprocError:
                continue
            assumed = number if (place, number) in case.assumed else 0
            yield profile, name, why, roles.shared, assumed


def _settings(case: Case) -> Iterator[Check]:
    proxy = next((name for name in PROXIES if case.environ.get(name)), "")
    problem = proxies.problem(case.environ[proxy]) if proxy else ""
    if problem:
        yield Check(FAIL, "proxy", f"{proxy} {problem}", f"correct {proxy}")
    elif proxy:
        yield Check(OK, "proxy", f"{proxy} is set: STS is reached through it, IMDS never is")
        exempt = case.environ.get("NO_PROXY") or case.environ.get("no_proxy") or ""
        if "169.254.169.254" not in exempt:
            yield Check(WARN, "proxy", "NO_PROXY does not name 169.254.169.254: other tools "
                        "send requests for the instance's role to the proxy",
                        "add it to NO_PROXY")  # fmt: skip
    elif case.environ.get("ALL_PROXY") or case.environ.get("all_proxy"):
        # botocore looks only for the proxy of a URL's own scheme.
        yield Check(OK, "proxy", "the AWS CLI, boto3 and credproc do not use ALL_PROXY; if this "
                    "network needs a proxy, set HTTPS_PROXY")  # fmt: skip
    for name in BUNDLES:
        path = case.environ.get(name)
        if path and not os.path.exists(path):
            yield Check(FAIL, "TLS", f"{name}={path}: no such file", f"unset {name}, or correct it")
        elif path:
            yield Check(OK, "TLS", f"certificates are checked with {path} ({name})")


def _reached(case: Case, shared: SharedConfig, name: str, why: str) -> Check:
    """Send STS an unsigned request, and judge the response."""
    from botocore import UNSIGNED, exceptions
    from botocore.config import Config

    from credproc.providers.botofaults import LastResponse

    config = Config(signature_version=UNSIGNED, connect_timeout=5, read_timeout=5,
                    retries={"total_max_attempts": 2, "mode": "standard"})  # fmt: skip
    url, last = "", LastResponse()
    try:
        client = call(shared.botocore().create_client, "sts", region_name=name, config=config)
        url = client.meta.endpoint_url
        client.meta.events.register("before-parse.sts", last.record)
        client.get_caller_identity()
    except exceptions.ClientError as error:
        if not error.response.get("ResponseMetadata", {}).get("RequestId"):
            return _not_sts(name, url, error, last)
    except Refused as error:
        return Check(
            FAIL, "STS", f"not checked, because there is no client for {name}: {case.shown(error)}"
        )
    except exceptions.BotoCoreError as error:
        return _unreached(case, shared, name, url, error)
    except Exception as error:  # botocore's parsers raise anything for responses of others
        return _not_sts(name, url, error, last)
    case.dated("STS", last.reply.headers.get("date", ""))
    how = " over TLS, with a trusted certificate" if url.startswith("https:") else ""
    return Check(OK, "STS", f"{clean(url)} answers{how} (region {name}, {why})")


def _not_sts(name: str, url: str, error: Exception, last: LastResponse) -> Check:
    """Return the check of a response that is not from STS."""
    from credproc.providers.botofaults import explain
    from credproc.providers.reply import Call

    return Check(FAIL, "STS", clean(f"{url}: {explain(error, last, Call(name)).words()}"))


def _unreached(case: Case, shared: SharedConfig, name: str, url: str, error: Exception) -> Check:
    from botocore import exceptions

    from credproc.providers import stsendpoint

    text = clean(
        f"{url or 'STS'} (region {name}) cannot be reached: {error}",
        proxies.secrets(case.environ),
    )
    if isinstance(error, exceptions.SSLError):
        return Check(FAIL, "STS", text, "set AWS_CA_BUNDLE to the certificates of your proxy")
    if isinstance(error, exceptions.ProxyConnectionError):
        return Check(FAIL, "STS", text, "check HTTPS_PROXY")
    if stsendpoint.custom(shared):
        return Check(FAIL, "STS", text, "check that the service runs, and the setting that names "
                     "it: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL or endpoint_url")  # fmt: skip
    return Check(FAIL, "STS", text, "check the region's name, DNS, proxies and firewalls")


def clocks(case: Case) -> Iterator[Check]:
    """Compare this machine's clock with those of the services that answered."""
    for who, (date, now) in case.dates.items():
        try:
            off = int(now - email.utils.parsedate_to_datetime(date).timestamp())
        except (TypeError, ValueError):
            continue
        side = "ahead of" if off > 0 else "behind"
        text = f"{abs(off)} s {side} {who}" if abs(off) > 1 else f"agrees with {who}"
        if abs(off) >= REFUSED:
            yield Check(FAIL, "clock", text, "set the clock (timedatectl): most of AWS refuses "
                        "such signatures, STS from 15 min on, and credentials seem expired or too "
                        "long-lived")  # fmt: skip
        elif abs(off) >= NOTED:
            yield Check(WARN, "clock", text, "set the clock (timedatectl)")
        else:
            yield Check(OK, "clock", text)
