"""Other keys beside credential_process: whose credentials each consumer uses in the end.

``python -m tests.consumers.beside`` prints the manual's table of it, as reStructuredText. The facts
are those that ``test_beside.py`` holds the consumers to.
"""

from __future__ import annotations

import sys
import textwrap
from typing import NamedTuple

from tests.consumers.asking import NAMES

#: Whose credentials a request was signed with. "instance": its role's, by no run of credproc;
#: "role": those of the role, assumed with credproc's; "error": nothing was signed.
CREDPROC, STRAYS, INSTANCE, ROLE, ERROR = "credproc", "keys", "instance", "role", "error"
#: It would be AWS itself: this consumer has no variable for another STS endpoint.
UNKNOWN = "not run"


class Taken(NamedTuple):
    """Which credentials a consumer uses, by the other keys beside credential_process."""

    #: Keys of the profile in the credentials file.
    credentials: str
    #: Keys of the profile in the config file, in the same section.
    config: str
    #: Keys in the environment, where the test names the profile as ``consumer.py`` has it.
    variables: str
    #: role_arn in the same section, without a source.
    role: str


JAVASCRIPT = "AWS SDK for JavaScript v3"
#: As most programs have it, which do not ask for a credential_process alone.
CHAIN = f"{JAVASCRIPT}, default chain"
BOTOCORE = Taken(STRAYS, CREDPROC, CREDPROC, ERROR)
RUST = Taken(CREDPROC, CREDPROC, STRAYS, ERROR)
GO = Taken(STRAYS, STRAYS, CREDPROC, ROLE)
GO_BY_VARIABLE = Taken(STRAYS, STRAYS, STRAYS, UNKNOWN)
KNOWN = {
    **dict.fromkeys(NAMES, BOTOCORE),  # test_precedence.py holds these to more than that
    "boto3, oldest allowed": BOTOCORE,
    "AWS CLI v2 (Debian)": BOTOCORE,
    "s3fs (aiobotocore)": BOTOCORE,
    "awscrt": Taken(STRAYS, STRAYS, CREDPROC, ERROR),
    "AWS SDK for Ruby v3": Taken(STRAYS, STRAYS, CREDPROC, ERROR),
    "pyarrow (AWS SDK for C++)": Taken(STRAYS, STRAYS, STRAYS, INSTANCE),
    "icechunk (AWS SDK for Rust)": RUST,
    "delta-rs (AWS SDK for Rust)": RUST,
    "Lance (AWS SDK for Rust)": RUST,
    CHAIN: Taken(STRAYS, STRAYS, CREDPROC, CREDPROC),
    JAVASCRIPT: Taken(CREDPROC, CREDPROC, CREDPROC, CREDPROC),
    "AWS SDK for Python v4": Taken(STRAYS, STRAYS, CREDPROC, CREDPROC),
    "GDAL (rasterio)": RUST,
    "s3torchconnector (awscrt)": Taken(CREDPROC, CREDPROC, CREDPROC, ERROR),
    "TileDB (AWS SDK for C++)": Taken(STRAYS, CREDPROC, STRAYS, CREDPROC),
    "DuckDB (``CHAIN 'process'``)": Taken(CREDPROC, CREDPROC, CREDPROC, CREDPROC),
    "TensorStore (``type: profile``)": Taken(STRAYS, STRAYS, CREDPROC, ERROR),
    "pyiceberg (PyArrow)": Taken(STRAYS, STRAYS, STRAYS, INSTANCE),
    "AWS SDK for JavaScript v3 on bun": Taken(CREDPROC, CREDPROC, CREDPROC, CREDPROC),
    "AWS SDK for JavaScript v3 on deno": Taken(CREDPROC, CREDPROC, CREDPROC, CREDPROC),
    "AWS SDK for JavaScript v2": Taken(CREDPROC, CREDPROC, STRAYS, CREDPROC),
    "AWS SDK for Go v1": GO,
    "AWS SDK for Go v2": GO._replace(role=UNKNOWN),
    "Terraform (Go v2)": GO,
    "rclone (Go v2)": GO_BY_VARIABLE,
    "rclone (Go v1)": GO_BY_VARIABLE,
    "s5cmd (Go v1)": GO_BY_VARIABLE,
    **dict.fromkeys(
        ("MinIO's client for Go (restic)", "AWS SDK for Java v2", "AWS SDK for PHP"),
        Taken(CREDPROC, CREDPROC, CREDPROC, CREDPROC),
    ),
}

#: How the manual says it.
WORDS = {
    CREDPROC: "credproc",
    STRAYS: "the keys",
    ROLE: "the role",
    INSTANCE: "the instance's",
    ERROR: "an error",
    UNKNOWN: UNKNOWN,
}
#: The programs of these ask for a credential_process alone, and the manual says by what.
ALONE = {
    JAVASCRIPT: "fromProcess",
    "AWS SDK for JavaScript v2": "ProcessCredentials",
    "AWS SDK for PHP": "CredentialProvider::process",
}
HEADER = [
    "Consumers",
    "Keys in ``~/.aws/credentials``",
    "Keys in ``~/.aws/config``",
    "Keys in the environment",
    "``role_arn`` without a source",
]


def rows() -> list[list[str]]:
    """Return the manual's table: consumers that do the same, and what they do."""
    same: dict[tuple[str, ...], list[str]] = {}
    for name, taken in KNOWN.items():
        words = tuple(WORDS[each] for each in taken)
        shown = f"{name} ({ALONE[name]})" if name in ALONE else name.removesuffix(", newest")
        same.setdefault(words, []).append(shown)
    return [HEADER, *(["; ".join(names), *words] for words, names in same.items())]


def table() -> str:
    """Return the rows as a list-table."""
    lines = [".. list-table::", "    :header-rows: 1", "    :widths: 36 16 16 16 16", ""]
    for row in rows():
        for number, cell in enumerate(row):
            first, *rest = textwrap.wrap(cell, 90, break_on_hyphens=False, break_long_words=False)
            lines.append(f"    {'  ' if number else '* '}- {first}")
            lines += [f"        {each}" for each in rest]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
