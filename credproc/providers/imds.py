"""The instance's role from IMDSv2: token, role and credentials on one connection."""

from __future__ import annotations

from credproc import credentials, limits, session, system
from credproc.errors import ProviderFailed, ProviderUnavailable, clean
from credproc.providers.metadata import conversation, where
from credproc.variables import CONFIG, CONTAINER_IDENTITIES, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.run import Run
    from credproc.session import Parts

REGION = "/latest/meta-data/placement/region"
INSTANCE = "/latest/meta-data/instance-id"

HINTS = {
    "AssumeRoleUnauthorizedAccess": "the role's trust policy must let ec2.amazonaws.com assume it",
}


class Imds:
    """The EC2 instance's role; with ``role``, only if the instance's role has that name."""

    name = "imds"

    def __init__(self, role: str = "") -> None:
        self.role = role

    def retrieve(self, run: Run) -> Credentials:
        """Return the role's credentials, from the cache or from IMDS."""
        return run.session(session.key(parts(run, self.role)), lambda run: fetch(run, self.role))


def parts(run: Run, role: str, profile: str = "") -> Parts:
    """Return the cache key parts of the instance role's session.

    ``profile`` is the profile whose IMDS settings apply, "" for the profile in use.
    ProviderUnavailable in a container with an identity of its own, unless the role is named.
    """
    if not role:
        _check_container(run.environ)
    run.witnesses.instance()
    run.witnesses.file(path(run.environ, CONFIG))
    url = where(run, profile).address
    return {"imds": role, "instance": system.instance(), "endpoint": url}


def fetch(run: Run, role: str, profile: str = "") -> Credentials:
    """Return the credentials that IMDS serves now; with ``role``, only those of that role."""
    with conversation(run, profile) as service:
        while True:
            name = service.role()
            if role and name != role:
                raise ProviderUnavailable(
                    f"this instance's role is {name}, not {role}", certain=True
                )
            answer = service.credentials(name)
            if answer is not None:
                run.log(f"imds: the role is {name}")
                return _credentials(answer, name, run.secrets)
            if not service.may_list_again():
                break
    raise service.failure(
        f"IMDS lists the role {name} but has no credentials for it yet, which is normal for some "
        "seconds after a role was attached or replaced: try again"
    )


def role_name(run: Run) -> str:
    """Return the name of the instance's role."""
    with conversation(run) as service:
        return service.role()


def region(run: Run, profile: str = "") -> str:
    """Return the instance's region, "" if IMDS does not say."""
    with conversation(run, profile) as service:
        name = service.value(REGION, "the region")
    return "" if limits.sts_region(name) else name


def instance_id(run: Run) -> str:
    """Return the instance's id, "" if IMDS does not say."""
    with conversation(run) as service:
        name = service.value(INSTANCE, "the instance's id")
    return name if name.startswith("i-") and name[2:].isalnum() and name.isascii() else ""


def _check_container(environ: Mapping[str, str]) -> None:
    for name in CONTAINER_IDENTITIES:
        if environ.get(name):
            raise ProviderUnavailable(
                f"{name} is set, so this container has its own identity; the instance role is the "
                "node's (--imds ROLE uses it anyway)"
            )


def _credentials(answer: dict[str, Any], role: str, secrets: list[str]) -> Credentials:
    where = f"IMDS (role {role})"
    code = answer.get("Code", "Success")  # stand-ins for IMDS leave it out
    if code != "Success":
        texts = [text for text in (code, answer.get("Message")) if isinstance(text, str) and text]
        known = secrets + [
            value
            for value in map(answer.get, ("SecretAccessKey", "Token"))
            if isinstance(value, str)
        ]
        message = clean(" ".join(texts), known) or "an unreadable Code"
        hint = HINTS.get(str(code), "try again in a few minutes, and check the instance profile")
        raise ProviderFailed(f"{where} answered {message} ({hint})")
    found = credentials.from_response(
        answer, ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"), "imds", where
    )
    found.role = role
    return found
