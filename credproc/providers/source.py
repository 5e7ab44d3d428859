"""Where a chain starts: source credentials, and whether they are those of a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import request
from credproc.credentials import Credentials
from credproc.errors import ProviderFailed, ProviderUnavailable, RequestError
from credproc.providers import leaf
from credproc.providers.imds import Imds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credproc.providers import Run


class Source:
    """Source credentials by the name that --source gives them; ``profile:NAME``: its own ones."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind, _, self.name = text.partition(":")

    def asked(self) -> request.Chain:
        """Return a chain without a role, which has all that the source's answer depends on."""
        chain = request.Chain()
        chain.source = self.text
        return chain

    def identity(self, environ: Mapping[str, str]) -> bytes:
        """Return what the source's credentials are kept under."""
        return request.join(["source", *request.provider_identity([self.asked()], environ)])

    def retrieve(self, run: Run, anew: bool = False) -> Credentials:
        """Return the source credentials: from the cache, or with ``anew`` from where they come.

        Long-term keys and those of the environment are at hand already, and never on the disk.
        """
        if self.kind == "env":
            return _from_environment(run)
        try:
            return run.kept(self.identity(run.environ), self._fetch, anew)
        except (ProviderFailed, RequestError) as error:
            raise type(error)(f"source {self.text}: {error}") from error

    def _fetch(self, run: Run) -> Credentials:
        if self.kind == "imds":
            return Imds(self.name).retrieve(run)
        if self.kind == "profile":
            return leaf.profile(run, self.name)
        found = leaf.container(run) if self.kind == "container" else leaf.web_identity(run)
        if found is None:
            raise ProviderUnavailable(MISSING[self.kind])
        return found

    def is_role(self, caller: Credentials) -> bool:
        """Whether AWS is known to count a role assumed from here as chained.

        Keys with a token may be those of a user (GetSessionToken); then only AWS knows.
        """
        return caller.provider in ROLES


#: The names of what gives nothing but role sessions: ours, and botocore's for its own.
ROLES = ("imds", "container-role", "assume-role-with-web-identity", "sso")

MISSING = {
    "env": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
    "container": "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor ..._FULL_URI is set: this is "
    "no ECS task and no EKS pod with an identity",
    "web-identity": "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set",
}


def _from_environment(run: Run) -> Credentials:
    values = [
        run.environ.get(name, "")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    ]
    if not values[0] or not values[1]:
        raise ProviderUnavailable(MISSING["env"])
    found = Credentials(values[0], values[1], values[2], expiration=0, provider="env")
    run.secrets += found.secrets()
    return found
