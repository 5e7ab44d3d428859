"""The identity of an entry, read back: the providers, sources and hops that it is kept for.

The inverse of what credproc.identity and providers/chain.py join; what follows the providers
(variables, marks of files) is left as it is. A test holds the two together.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from credproc import credentials, hidden
from credproc.errors import clean, masked
from credproc.identity import VERSION
from credproc.request import Chain, Hop, Imds, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The mark of a file: its path, modification time (ns) and size.
_STAMP = re.compile(r"(.+) (-?\d+) (\d+)", re.DOTALL)

#: What an entry is kept for.
REQUEST, HOP, SOURCE, UNKNOWN = "request", "role", "source", "unknown"


class Purpose:
    """What an entry is for: a whole request, a role on the way (the last of ``hops``), a source."""

    def __init__(self, kind: str = UNKNOWN) -> None:
        self.kind = kind
        self.providers: list[Imds | Chain | Profile] = []
        self.source = ""
        self.hops: list[Hop] = []
        #: Of a role: the region whose STS is asked, and the name of the session.
        self.region = ""
        self.session_name = ""
        #: What else the answer depends on: variables, marks of files, whose session it is.
        self.rest: list[str] = []

    def profiles(self) -> list[str]:
        """Return the profiles that are named."""
        names = [each.name for each in self.providers if isinstance(each, Profile)]
        chains = [Chain(self.source), *(each for each in self.providers if isinstance(each, Chain))]
        return names + [chain.profile for chain in chains if chain.profile]


def read(identity: bytes) -> Purpose:
    """Return what an entry with this identity is for; of another version it is unknown."""
    parts = os.fsdecode(identity).split("\0")
    try:
        if parts[0] != VERSION:
            return Purpose()
        return _Reader(parts[1:]).purpose()
    except (ValueError, IndexError):
        return Purpose()


def dependences(purpose: Purpose) -> list[str]:
    """Return in words what else the answer depends on; of keys only the end."""
    return [text for text in map(_dependence, purpose.rest) if text]


def _dependence(part: str) -> str:
    name, equals, value = part.partition("=")
    if equals and name.isidentifier():
        return f"{name}={_value(name, value)}"
    if part.startswith("caller:"):
        user, _, machine = part.removeprefix("caller:").rpartition("@")
        return f"role session names of {user or 'a user without a name'} on {machine}"
    if part.startswith("instance:"):
        machine, _, start = part.removeprefix("instance:").partition(" ")
        return f"{machine}, since its latest start{start and f' ({start})'}"
    if part.startswith("token:"):
        return "" if part == "token:00000000" else "the token in AWS_CONTAINER_AUTHORIZATION_TOKEN"
    stamp = _STAMP.fullmatch(part)
    if stamp:
        changed = credentials.write_time(int(stamp[2]) // 10**9)
        return f"{stamp[1]}: changed {changed}, {stamp[3]} bytes"
    path = part.removesuffix(" -")
    return f"{path}: there is none" if path else ""


def _value(name: str, value: str) -> str:
    """Return a variable's value without what is secret in it."""
    if name == "AWS_ACCESS_KEY_ID":
        return masked(value)
    return clean(value, hidden.of_uri(value) if name in hidden.URIS else ())


class _Reader:
    """Takes the parts one by one; ValueError or IndexError where they are not what was written."""

    def __init__(self, parts: Sequence[str]) -> None:
        self.parts = list(parts)
        self.place = 0

    def take(self) -> str:
        self.place += 1
        return self.parts[self.place - 1]

    def peek(self) -> str:
        return self.parts[self.place] if self.place < len(self.parts) else ""

    def purpose(self) -> Purpose:
        kind = {"hop": HOP, "source": SOURCE}.get(self.peek(), REQUEST)
        purpose = Purpose(kind)
        if kind == REQUEST:
            purpose.providers = list(self.providers())
            if not purpose.providers:
                raise ValueError("no provider")
            purpose.rest = self.parts[self.place :]
            return purpose
        self.take()
        (chain,) = self.providers()
        if not isinstance(chain, Chain) or chain.hops:
            raise ValueError("no source")
        purpose.source = chain.source
        if kind == HOP:
            self.place = self.parts.index("role_arn:1", self.place)
            while self.peek() == "role_arn:1":
                purpose.hops.append(self.hop())
                purpose.region, purpose.session_name = self.take(), self.take()
        return purpose

    def providers(self) -> Iterator[Imds | Chain | Profile]:
        while self.peek() in ("imds", "chain", "profile"):
            kind = self.take()
            if kind == "imds":
                yield Imds(self.take())
            elif kind == "profile":
                yield Profile(self.take())
            else:
                yield self.chain()

    def chain(self) -> Chain:
        chain = Chain()
        chain.source = self.take()
        chain.hops = [self.hop() for _ in range(int(self.take()))]
        return chain

    def hop(self) -> Hop:
        hop = Hop("")
        for name, held in vars(hop).items():
            key, _, count = self.take().partition(":")
            if key != name:
                raise ValueError(f"{key} instead of {name}")
            values = [self.take() for _ in range(int(count))]
            if isinstance(held, list):
                setattr(hop, name, values)
            else:
                setattr(hop, name, type(held)(values[0]))
        return hop


def words(providers: Sequence[Imds | Chain | Profile]) -> list[str]:
    """Return the command line that asks for these providers."""
    found: list[str] = []
    for provider in providers:
        if isinstance(provider, Imds):
            found += ["--imds", *([provider.role] if provider.role else [])]
        elif isinstance(provider, Profile):
            found += ["--profile", provider.name]
        else:
            for hop in provider.hops:
                found += hop_words(hop)
            found += ["--source", provider.source]
    return found


def hop_words(hop: Hop) -> list[str]:
    """Return the options of one role."""
    found = []
    for name, value in vars(hop).items():
        option = "--" + name.replace("_", "-")
        for each in value if isinstance(value, list) else [value] if value else []:
            found += [option, str(each)]
    return found
