"""What was requested: the providers and their options."""

from __future__ import annotations

from credproc.limits import SOURCES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from credproc.hop import Hop

#: Seconds. The SDKs for Go do not wait longer than this.
GO_PATIENCE = 60
DEFAULT_TIMEOUT = 45.0
#: Seconds. The default duration of an MFA session: a working day.
MFA_SESSION = 43200


class Value:
    """A plain value: equal if its fields are equal; its repr does not show them."""

    __hash__ = None  # type: ignore[assignment]  # fields are filled in while options are read

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Imds(Value):
    """The EC2 instance's role; with ``role``, only if the instance's role has that name."""

    option = "--imds"

    def __init__(self, role: str = "") -> None:
        self.role = role

    def words(self) -> list[str]:
        """Return its command line."""
        return [self.option, self.role] if self.role else [self.option]

    @property
    def needs_imds(self) -> bool:
        """Whether it needs the metadata service."""
        return True


class Chain(Value):
    """A role chain on the command line: its hops in order, and its source."""

    option = "--role-arn"

    def __init__(self, source: str = "") -> None:
        self.hops: list[Hop] = []
        self.source = source

    def words(self) -> list[str]:
        """Return its command line."""
        return [*(word for hop in self.hops for word in hop.words()), "--source", self.source]

    @property
    def kind(self) -> str:
        """What its source is: env, profile, imds, container or web-identity."""
        return self.source.partition(":")[0]

    @property
    def named(self) -> str:
        """The name in its source: a role after imds: or a profile after profile:, else ""."""
        return self.source.partition(":")[2]

    @property
    def profile(self) -> str:
        """The profile that it starts at, "" for another source."""
        return self.named if self.kind == "profile" else ""

    @property
    def needs_imds(self) -> bool:
        """Whether it needs the metadata service."""
        return self.kind == "imds"

    def problem(self) -> str:
        """Return what is wrong with the hops taken together, or ""."""
        if not self.hops:
            return "--source: needs at least one --role-arn"
        if not self.source:
            return f"--role-arn: needs --source, one of {SOURCES}"
        transitive: dict[str, int] = {}
        for number, hop in enumerate(self.hops, 1):
            problem = hop.problem()
            if problem:
                return problem
            for item in hop.tag:
                key = item.partition("=")[0]
                if key.lower() in transitive:
                    earlier = transitive[key.lower()]
                    return (
                        f"--tag: {key} was made transitive by role {earlier} and cannot be set "
                        "again"
                    )
            first = self.hops[0].source_identity
            if number > 1 and hop.source_identity and hop.source_identity != first:
                return "--source-identity: must follow the first --role-arn; later roles inherit it"
            for key in hop.transitive_tag_key:
                transitive.setdefault(key.lower(), number)
        return ""


class Profile(Value):
    """A profile of the shared config."""

    option = "--profile"

    def __init__(self, name: str) -> None:
        self.name = name

    def words(self) -> list[str]:
        """Return its command line."""
        return [self.option, self.name]

    @property
    def needs_imds(self) -> bool:
        """Whether it is known to need the metadata service; only the config can tell."""
        return False


class Request(Value):
    """A parsed command line: the providers in order, and the other options."""

    def __init__(self) -> None:
        self.providers: list[Imds | Chain | Profile] = []
        self.format = "process"
        self.field = ""
        self.mfa_command = ""
        #: Seconds of the MFA session, 0 without one.
        self.mfa_session = 0
        self.refresh = False
        self.no_cache = False
        self.cache_dir = ""
        self.timeout = DEFAULT_TIMEOUT
        self.verbose = False
        #: The files that option values were read from.
        self.files: list[str] = []

    def chain(self) -> Chain:
        """Return the chain; its place in the order is that of its first option."""
        for provider in self.providers:
            if isinstance(provider, Chain):
                return provider
        chain = Chain()
        self.providers.append(chain)
        return chain

    def finish(self) -> Request:
        """Fill in what is implied."""
        if not self.providers:
            self.providers.append(Imds())
        return self

    def problem(self) -> str:
        """Return what is wrong with the providers taken together, or ""."""
        for number, provider in enumerate(self.providers):
            if provider in self.providers[:number]:
                return f"{provider.option}: the same provider is given twice"
            if isinstance(provider, Chain) and provider.problem():
                return provider.problem()
        return self._mfa_problem() if self.mfa_session else ""

    def _mfa_problem(self) -> str:
        """Return why --mfa-session does not fit the providers, or ""."""
        if all(isinstance(provider, Imds) for provider in self.providers):
            return "--mfa-session: needs --profile, or --role-arn with --serial-number"
        for provider in self.providers:
            if not isinstance(provider, Chain) or provider.profile:
                continue
            if provider.kind != "env":
                return (
                    "--mfa-session: needs the long-term keys of a user, but --source "
                    f"{provider.source} provides temporary credentials"
                )
            if not any(hop.serial_number for hop in provider.hops):
                return "--mfa-session: needs --serial-number with one of the roles"
        return ""
