"""On an instance, its role's credentials are printed; elsewhere the error comes at once."""

from __future__ import annotations

import calendar
import json
import time
from typing import TYPE_CHECKING

import botocore.session
import pytest

from credproc.cache import Cache
from tests import cachedir
from tests.harness import CREDPROC
from tests.servers import faults
from tests.servers.base import backlog_full, closed_port
from tests.servers.imds import ImdsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credproc.cache import Entry
    from tests.harness import Host, Result
    from tests.servers.base import Fault
    from tests.servers.sts import StsServer

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#: A chain that needs no service but STS.
CHAIN = ("--role-arn", "arn:aws:iam::123456789012:role/other", "--source", "env")
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "canarySecretOfTheEnvironment0123456789AB",
    "AWS_REGION": "eu-central-1",
}


@pytest.fixture
def instance(host: Host, imds: ImdsServer) -> Host:
    """The machine is an instance."""
    host.environ[ENDPOINT] = imds.url
    return host


def refusal(result: Result) -> str:
    """Return the error line of a run without credentials."""
    assert result.status == 1, result
    assert result.stdout == b"", result
    assert result.stderr.startswith("credproc: "), result
    assert result.stderr.count("\n") == 1, result
    assert result.stderr.endswith("\n"), result
    return result.stderr


def entry(host: Host) -> Entry:
    """Return the only entry of the machine's cache."""
    (path,) = host.cache.glob("*.entry")
    found = Cache(str(host.cache)).load(path.name)
    assert found is not None
    return found


def seconds(moment: str) -> int:
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize("argv", [[], ["--imds"], ["--imds", "app"]])
def test_instances_role_is_printed_and_fetched_once(
    instance: Host, imds: ImdsServer, argv: list[str]
) -> None:
    served = imds.current
    for _ in range(2):
        document = instance.document(*argv)
        assert document == {
            "Version": 1,
            "AccessKeyId": served["AccessKeyId"],
            "SecretAccessKey": served["SecretAccessKey"],
            "SessionToken": served["Token"],
            "Expiration": served["Expiration"],
        }
    assert imds.count() == 3
    assert imds.connections == 1
    assert imds.v1_requests == 0


def test_role_other_than_the_one_that_was_named_is_unavailable(
    instance: Host, imds: ImdsServer
) -> None:
    said = refusal(instance.run("--imds", "web"))
    assert "imds: this instance's role is app, not web" in said
    assert imds.count("creds") == 0


def test_named_role_is_never_answered_with_anothers_entry(instance: Host, imds: ImdsServer) -> None:
    instance.document("--imds", "app")
    imds.role = "web"
    web = imds.current["AccessKeyId"]
    assert instance.document("--imds", "web")["AccessKeyId"] == web
    assert instance.document("--imds", "app")["AccessKeyId"] != web
    assert "is web, not app" in refusal(instance.run("--imds", "app", "--refresh"))


def test_instance_without_a_role_says_so(instance: Host, imds: ImdsServer) -> None:
    imds.role = None
    assert "imds: this instance has no role: attach an instance profile" in refusal(instance.run())


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_imds_that_is_turned_off_is_not_called(
    instance: Host, imds: ImdsServer, value: str
) -> None:
    said = refusal(instance.run(AWS_EC2_METADATA_DISABLED=value))
    assert "imds: turned off by AWS_EC2_METADATA_DISABLED=true" in said
    assert imds.connections == 0


def test_imds_is_turned_off_for_entries_too(instance: Host) -> None:
    instance.document()
    refusal(instance.run(AWS_EC2_METADATA_DISABLED="true"))


def test_only_true_turns_imds_off(instance: Host) -> None:
    instance.document(AWS_EC2_METADATA_DISABLED="1")
    result = instance.run("-v", "--refresh", AWS_EC2_METADATA_DISABLED="1")
    assert "AWS_EC2_METADATA_DISABLED=1 has no effect" in result.stderr


def test_imds_that_the_instance_turned_off_says_so(instance: Host, imds: ImdsServer) -> None:
    imds.enabled = False
    said = refusal(instance.run())
    assert "refuses to issue a token (403): IMDS is turned off for this instance" in said


def test_no_instance_is_noticed_at_once(host: Host) -> None:
    url = closed_port()
    host.environ[ENDPOINT] = url
    result = host.run()
    said = refusal(result)
    assert (
        f"imds: nothing answers at {url} (connection refused): this is not an EC2 instance" in said
    )
    assert result.seconds < 3


def test_dropped_packets_are_noticed_within_three_seconds(host: Host) -> None:
    busy = host.run().seconds  # the time that this machine takes for everything else
    with backlog_full() as url:
        host.environ[ENDPOINT] = url
        result = host.run()
    assert f"imds: no connection to {url} within 2 s: this is not an EC2 instance" in refusal(
        result
    )
    assert result.seconds - busy < 3


def test_chain_that_starts_at_imds_waits_for_it_once(host: Host) -> None:
    with backlog_full() as url:
        host.environ[ENDPOINT] = url
        result = host.run("--imds", "--role-arn", CHAIN[1], "--source", "imds")
    said = refusal(result)
    assert said.count("within 2 s") == 2
    assert result.seconds < 5  # three calls of two seconds each would take 6


def test_chain_that_starts_at_imds_is_in_the_instances_region(
    instance: Host, imds: ImdsServer, sts: StsServer
) -> None:
    argv = ("-v", "--role-arn", CHAIN[1], "--source", "imds")
    result = instance.run(*argv, AWS_ENDPOINT_URL_STS=sts.url)
    assert result.status == 0, result
    assert "/eu-central-1/sts/" in sts.requests[0].headers["authorization"]
    assert [request.labels[0] for request in imds.requests] == ["token", "list", "creds", "region"]


def test_token_that_cannot_come_so_far_names_the_hop_limit(
    instance: Host, imds: ImdsServer
) -> None:
    imds.hops = 2
    result = instance.run()
    said = refusal(result)
    assert "accepted the connection but sent no token within 2 s" in said
    assert "--http-put-response-hop-limit 2" in said
    assert result.seconds < 5
    assert imds.v1_requests == 0


def test_timeout_of_the_run_is_imds_time_too(instance: Host, imds: ImdsServer) -> None:
    imds.fail("list", faults.hang())
    result = instance.run("--timeout", "1")
    assert "no usable answer for the list of roles within 1 s" in refusal(result)
    assert result.seconds < 3


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ],
)
def test_nodes_role_is_not_used_as_the_containers(
    instance: Host, imds: ImdsServer, variable: str
) -> None:
    instance.document()  # as outside the container
    imds.forget()
    instance.environ[variable] = "/x"
    said = refusal(instance.run("--imds"))
    assert f"imds: {variable} is set, so this container has its own identity" in said
    assert "--imds ROLE" in said
    assert imds.count() == 0
    document = instance.document("--imds", "app")
    assert document["AccessKeyId"] == imds.current["AccessKeyId"]


def test_unavailable_moves_on_to_the_chain(
    instance: Host, imds: ImdsServer, sts: StsServer
) -> None:
    imds.role = None
    instance.environ |= {**KEYS, "AWS_ENDPOINT_URL_STS": sts.url}
    document = instance.document("--imds", *CHAIN)
    assert document["AccessKeyId"] == sts.issued[-1].access_key


@pytest.mark.parametrize(
    "fault", [faults.status(503), faults.html(), faults.fields(Code="Failed"), faults.reset()]
)
def test_failure_does_not_change_the_identity(
    instance: Host, imds: ImdsServer, sts: StsServer, fault: Fault
) -> None:
    imds.fail("creds", fault)
    instance.environ |= {**KEYS, "AWS_ENDPOINT_URL_STS": sts.url}
    said = refusal(instance.run("--imds", *CHAIN, "--timeout", "3"))
    assert said.startswith("credproc: imds: IMDS ")
    assert sts.count() == 0


def test_instance_that_is_starting_is_not_a_failure(instance: Host, imds: ImdsServer) -> None:
    imds.fail("token", faults.status(503), times=3)
    imds.fail("creds", faults.status(404), times=3)
    assert instance.document()["AccessKeyId"] == imds.current["AccessKeyId"]


#: A network whose only route is one of IPv6.
IPV6_ONLY = (
    "ip link set lo up && ip address add fd00:ec2::1/64 dev lo && "
    'ip -6 route add default dev lo && exec "$0" "$@"'
)


@pytest.mark.needs("namespaces", "ip")
def test_error_on_a_machine_without_ipv4_names_the_mode(host: Host) -> None:
    del host.environ[ENDPOINT]
    words = ("--net", "sh", "-c", IPV6_ONLY, str(CREDPROC), "--no-cache")
    said = refusal(host.run(*words, command="unshare"))
    assert "this machine has only IPv6: on an instance set " in said
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv6" in said


def test_service_on_ipv6_answers(host: Host) -> None:
    with ImdsServer(ipv6=True) as server:
        host.environ[ENDPOINT] = server.url
        document = host.document()
        assert document["AccessKeyId"] == server.current["AccessKeyId"]


def test_keys_of_the_profile_in_use_say_where_imds_is(host: Host, imds: ImdsServer) -> None:
    host.environ[ENDPOINT] = None
    path = host.config(
        f"[default]\nec2_metadata_service_endpoint = {closed_port()}\n"
        f"[profile dev]\nregion = eu-central-1\nec2_metadata_service_endpoint = {imds.url}\n"
    )
    assert "nothing answers" in refusal(host.run())
    assert host.document(AWS_PROFILE="dev")["AccessKeyId"] == imds.current["AccessKeyId"]
    moved = path.rename(host.home / "moved")
    host.environ |= {"AWS_CONFIG_FILE": str(moved), "AWS_DEFAULT_PROFILE": "dev"}
    assert host.document("--refresh")["AccessKeyId"] == imds.current["AccessKeyId"]
    assert imds.count("creds") == 2
    host.environ[ENDPOINT] = closed_port()
    assert "nothing answers" in refusal(host.run())


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            "ec2_metadata_service_endpoint = x\n",
            "/config, line 1: cannot be parsed as a config file: it is not a complete [section]",
        ),
        ("[default]\nec2_metadata_service_endpoint = ftp://x\n", "must be an address like"),
        ("[default]\nmetadata_service_timeout = soon\n", "must be a whole number from 1 to 3600"),
    ],
)
def test_config_that_makes_no_sense_is_an_error_of_the_configuration(
    host: Host, config: str, said: str
) -> None:
    host.environ[ENDPOINT] = None
    host.config(config)
    result = host.run()
    assert result.status == 2
    assert result.stdout == b""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("names", ["HTTP_PROXY HTTPS_PROXY ALL_PROXY", "http_proxy all_proxy"])
def test_no_proxy_is_used_for_imds(instance: Host, imds: ImdsServer, names: str) -> None:
    with ImdsServer(mode="optional") as proxy:
        instance.environ |= dict.fromkeys(names.split(), proxy.url)
        instance.document()
        assert proxy.connections == 0
    assert all(request.path.startswith("/latest/") for request in imds.requests)


def test_replaced_role_is_used_at_once_with_refresh(instance: Host, imds: ImdsServer) -> None:
    first = instance.document()
    imds.role = "web"
    assert instance.document() == first
    second = instance.document("--refresh")
    assert second["AccessKeyId"] == imds.current["AccessKeyId"] != first["AccessKeyId"]
    assert instance.document() == second


# Static stability: IMDS continues to return a set that it cannot renew.


class Late:
    """A clock that is seconds late."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return time.time() - self.seconds


@pytest.fixture
def late() -> Late:
    return Late(22000)


@pytest.fixture
def frozen(host: Host, late: Late) -> Iterator[ImdsServer]:
    """A service that stopped rotating hours ago; its credentials expired 400 seconds ago."""
    with ImdsServer(clock=late) as server:
        server.freeze()
        host.environ[ENDPOINT] = server.url
        yield server


def test_expired_credentials_of_imds_are_printed_for_a_quarter_of_an_hour(
    host: Host, frozen: ImdsServer
) -> None:
    for _ in range(5):
        before = int(time.time())
        document = host.document()
        after = int(time.time())
        assert document["AccessKeyId"] == frozen.current["AccessKeyId"]
        assert before + 900 <= seconds(document["Expiration"]) <= after + 1201
    assert frozen.count("creds") == frozen.count("token") == 1  # no flood of requests


def test_entry_keeps_the_true_expiration(host: Host, frozen: ImdsServer) -> None:
    host.document()
    held = entry(host)
    true = frozen.current["Expiration"]
    assert held.expiration == seconds(true) < time.time()
    assert json.loads(held.document)["Expiration"] == true


def test_printing_expired_credentials_is_logged(host: Host, frozen: ImdsServer) -> None:
    for _ in range(2):
        result = host.run("-v")
        assert result.status == 0
        assert (
            "imds: the credentials have expired; printed with 15 to 20 more minutes"
            in result.stderr
        )


def test_consumers_accept_expired_credentials_of_imds(
    host: Host, frozen: ImdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = host.config(f"[profile instance]\ncredential_process = {CREDPROC}\n")
    for name, value in host.env(AWS_CONFIG_FILE=str(path), AWS_PROFILE="instance").items():
        monkeypatch.setenv(name, value)
    found = botocore.session.Session().get_credentials()
    assert found is not None
    assert found.access_key == frozen.current["AccessKeyId"]


def test_rotation_that_resumes_is_noticed(host: Host, frozen: ImdsServer, late: Late) -> None:
    stale = host.document()
    late.seconds = 0
    frozen.thaw()
    fresh = host.document("--refresh")
    assert fresh["AccessKeyId"] != stale["AccessKeyId"]
    ends = {each.expiration for each in cachedir.entries(host.cache)}
    assert ends == {seconds(fresh["Expiration"])}
    assert min(ends) > time.time() + 3600


def test_expired_credentials_that_imds_no_longer_serves_are_not_printed(
    host: Host, frozen: ImdsServer
) -> None:
    host.document()
    frozen.fail(None, faults.status(503))
    said = refusal(host.run("--refresh", "--timeout", "3"))
    assert "IMDS gave no usable answer for a token" in said
