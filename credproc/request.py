"""What was asked for: the providers and their options.

Loaded on every run, so it imports nothing that a bare interpreter has not loaded, not even
__future__: annotations are strings where their names are for type checkers only.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds. The SDKs for Go wait no longer than this.
GO_PATIENCE = 60
DEFAULT_TIMEOUT = 45.0
MAX_TIMEOUT = 3600


class Value:
    """A plain value: equal when its fields are, and printable without what it holds."""

    __hash__ = None  # type: ignore[assignment]  # fields are filled in while options are read

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Imds(Value):
    """The EC2 instance's role; with ``role``, only if the instance's role has that name."""

    def __init__(self, role: str = "") -> None:
        self.role = role

    def identity(self) -> list[str]:
        return ["imds", self.role]

    def kinds(self) -> tuple[str, ...]:
        return ("imds",)


class Hop(Value):
    """One AssumeRole call of a chain; fields are named as its options, and empty if not given."""

    def __init__(self, role_arn: str) -> None:
        self.role_arn = role_arn
        self.role_session_name = ""
        self.external_id = ""
        self.duration_seconds = 0
        self.policy = ""
        self.policy_arn: list[str] = []
        self.tag: list[str] = []
        self.transitive_tag_key: list[str] = []
        self.source_identity = ""
        self.serial_number = ""
        self.sts_region = ""

    def set(self, option: str, value: str) -> str:
        """Take one of the hop's options; return what is wrong with that, or ""."""
        name = option[2:].replace("-", "_")
        if name == "role_arn" or "_" in option or name not in vars(self) or option[:2] != "--":
            return "is no option of a --role-arn"
        held = getattr(self, name)
        if isinstance(held, list):
            held.append(value)
        elif held:
            return "is given twice for the same --role-arn"
        else:
            setattr(self, name, int(value) if name == "duration_seconds" else value)
        return ""

    def identity(self) -> list[str]:
        """Return every parameter, the lists with their lengths, so that no two hops read alike."""
        parts = []
        for name, value in vars(self).items():
            values = value if isinstance(value, list) else [str(value)]
            parts += [f"{name}:{len(values)}", *values]
        return parts


class Chain(Value):
    """An explicit role chain: its hops in order, and where it starts."""

    def __init__(self, source: str = "") -> None:
        self.hops: list[Hop] = []
        self.source = source

    def identity(self) -> list[str]:
        parts = ["chain", self.source, str(len(self.hops))]
        for hop in self.hops:
            parts += hop.identity()
        return parts

    def kinds(self) -> tuple[str, ...]:
        return ("sts", self.kind)

    @property
    def kind(self) -> str:
        """What its source is: env, profile, imds, container or web-identity."""
        return self.source.partition(":")[0]

    @property
    def named(self) -> str:
        """What its source names, a role behind imds: or a profile behind profile:, else ""."""
        return self.source.partition(":")[2]

    @property
    def profile(self) -> str:
        """The profile that it starts at, "" for another source."""
        return self.named if self.kind == "profile" else ""


class Profile(Value):
    """What a profile of the shared config describes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def identity(self) -> list[str]:
        return ["profile", self.name]

    def kinds(self) -> tuple[str, ...]:
        return ("sts", "profile")


class Request(Value):
    """A command line: the providers in the order written, and how the run is to be made."""

    def __init__(self) -> None:
        self.providers: list[Imds | Chain | Profile] = []
        self.format = "process"
        self.field = ""
        self.mfa_command = ""
        self.refresh = False
        self.no_cache = False
        self.cache_dir = ""
        self.timeout = DEFAULT_TIMEOUT
        self.verbose = False

    def chain(self) -> Chain:
        """Return the explicit chain, which stands in the order where its first option stood."""
        for provider in self.providers:
            if isinstance(provider, Chain):
                return provider
        chain = Chain()
        self.providers.append(chain)
        return chain

    def finish(self) -> "Request":
        """Fill in what is implied."""
        if not self.providers:
            self.providers.append(Imds())
        return self


def read(argv: "Sequence[str]") -> "Request | None":
    """Read an ordinary command line quickly, or decline with None.

    Declining costs a slower run; answering differently from the full command line would hand out
    another identity. Values that are part of the identity are not checked against the API's limits:
    a request beyond them never got an entry that could answer it. All others are checked.
    """
    request = Request()
    words = list(argv)
    words.reverse()
    while words:
        option, glued, value = words.pop().partition("=")
        if not glued and words and not words[-1].startswith("-"):
            glued, value = "apart", words.pop()
        # What begins with - reads differently from one argparse to the next.
        if glued and not (value.isprintable() and value and value[0] != "-"):
            return None
        if not (glued or option == "--imds") or not _take(request, option, value):
            return None
    return request.finish()


def _take(request: Request, option: str, value: str) -> bool:
    """Read one option into the request; whether it was an ordinary one."""
    if option == "--imds":
        request.providers.append(Imds(value))
    elif option == "--profile":
        request.providers.append(Profile(value))
    elif option == "--role-arn":
        request.chain().hops.append(Hop(value))
    elif option == "--source":
        chain = request.chain()
        if chain.source:
            return False
        chain.source = value
    elif option == "--cache-dir":
        request.cache_dir = value
        return value.startswith("/")
    elif option == "--mfa-command":
        request.mfa_command = value
        return value.isascii() and not value.isspace() and not set(value) & set("\"'\\")
    elif option == "--timeout":
        # Whole seconds; a fraction is read by the full command line.
        seconds = _number(value)
        request.timeout = float(seconds)
        return 1 <= seconds <= MAX_TIMEOUT
    else:
        return _take_hop_option(request, option, value)
    return True


def _take_hop_option(request: Request, option: str, value: str) -> bool:
    # --policy may name a file and wants JSON checked; that is the full command line's work.
    hops = request.chain().hops
    if option == "--policy" or not hops:
        return False
    if option == "--duration-seconds" and not _number(value):
        return False  # 0 would read as not given
    return not hops[-1].set(option, value)


def _number(value: str) -> int:
    """Return what a few plain digits say, 0 for everything else."""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 5 else 0
