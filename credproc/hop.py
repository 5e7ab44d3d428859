"""One AssumeRole call of a role chain, and the table of its options."""

from __future__ import annotations

from credproc import limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _same(value: Any) -> Any:
    return value


def _arns(values: list[str]) -> list[dict[str, str]]:
    return [{"arn": value} for value in values]


def _tags(values: list[str]) -> list[dict[str, str]]:
    return [
        {"Key": key, "Value": value} for key, _, value in (tag.partition("=") for tag in values)
    ]


class Option:
    """An option of a hop: name, metavar, help text, check (see limits), parameter.

    ``parameter`` is the AssumeRole parameter, "" for an option about the call itself, and ``shape``
    converts the value to it; ``key`` is the equivalent config key of a profile; ``most`` is how
    often the option may be given for one role (1: the value is not a list).
    """

    def __init__(
        self,
        name: str,
        metavar: str,
        text: str,
        check: Callable[[str], str],
        parameter: str = "",
        key: str = "",
        shape: Callable[[Any], Any] = _same,
        most: int = 1,
    ) -> None:
        self.name = name
        self.metavar = metavar
        self.text = text
        self.check = check
        self.parameter = parameter
        self.key = key
        self.shape = shape
        self.most = most
        #: The field of Hop that has the option's value.
        self.attribute = name[2:].replace("-", "_")


OPTIONS = (
    Option("--role-session-name", "NAME", "session name (default: credproc-USER-HOST)",
           limits.role_session_name, "RoleSessionName", "role_session_name"),
    Option("--external-id", "ID", "the external ID that the role's trust policy requires",
           limits.external_id, "ExternalId", "external_id"),
    Option("--duration-seconds", "SECONDS", "duration of the session, 900 to 43200; a role "
           "that another role assumes gets at most 3600",
           limits.duration_seconds, "DurationSeconds", "duration_seconds"),
    Option("--policy", "JSON", "a session policy: JSON, or file://PATH", limits.policy, "Policy"),
    Option("--policy-arn", "ARN", "a managed session policy; repeat it for more",
           limits.policy_arn, "PolicyArns", shape=_arns, most=10),
    Option("--tag", "KEY=VALUE", "a session tag; repeat it for more", limits.tag, "Tags",
           shape=_tags, most=50),
    Option("--transitive-tag-key", "KEY", "a tag that later roles inherit; repeat it for more",
           limits.transitive_tag_key, "TransitiveTagKeys", most=50),
    Option("--source-identity", "NAME", "identity recorded in CloudTrail; inherited by later roles",
           limits.source_identity, "SourceIdentity"),
    Option("--serial-number", "DEVICE", "the MFA device whose code the role requires",
           limits.serial_number, "SerialNumber", "mfa_serial"),
    Option("--sts-region", "REGION", "region of the STS endpoint (default: as configured, or the "
           "instance's)", limits.sts_region),
)  # fmt: skip


class Hop:
    """One AssumeRole call of a chain; its fields are named like the options, empty if not given."""

    __hash__ = None  # type: ignore[assignment]  # fields are filled in while options are read

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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hop) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return "<Hop>"

    def set(self, option: Option, value: str) -> str:
        """Store an option's value; return what is wrong with it, or ""."""
        problem = option.check(value)
        if problem:
            return problem
        present = getattr(self, option.attribute)
        if isinstance(present, list):
            present.append(value)
        elif present:
            return "given twice for the same --role-arn"
        else:
            setattr(self, option.attribute, type(present)(value))
        return ""

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of AssumeRole that were given."""
        found: dict[str, Any] = {"RoleArn": self.role_arn}
        for option in OPTIONS:
            value = getattr(self, option.attribute)
            if option.parameter and value:
                found[option.parameter] = option.shape(value)
        return found

    def words(self) -> list[str]:
        """Return the command line of this hop."""
        found = ["--role-arn", self.role_arn]
        for option in OPTIONS:
            value = getattr(self, option.attribute)
            for each in value if isinstance(value, list) else [value] if value else []:
                found += [option.name, str(each)]
        return found

    def problem(self) -> str:
        """Return what is wrong with the lists of this hop, or ""."""
        for option in OPTIONS:
            value = getattr(self, option.attribute)
            if isinstance(value, list) and len(value) > option.most:
                return f"{option.name}: at most {option.most} for one --role-arn"
        keys = [item.partition("=")[0].lower() for item in self.tag]
        if len(set(keys)) < len(keys):
            return "--tag: duplicate key (keys that differ only in case are the same)"
        return ""
