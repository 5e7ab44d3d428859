"""credprocctl role against moto: roles are created, listed, attached, replaced and deleted."""

from __future__ import annotations

import functools
import itertools
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from credproc.ctl.iam import trust
from tests import ctl as command
from tests.ctl import CREDPROCCTL, Inside, Terminal, failed, one_line
from tests.servers import faults
from tests.servers.imds import INSTANCE
from tests.servers.moto import ANYBODY, ANYTHING, Moto
from tests.servers.relay import Relay, ec2_error, iam_error, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Host
    from tests.servers.base import Answer, Exchange
    from tests.servers.imds import ImdsServer

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canarySecret/Key"}
S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """An AWS with the policies that AWS manages."""
    folder = tmp_path_factory.mktemp("moto")
    env = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "PATH": "/usr/bin:/bin"}
    with Moto(folder, env=env) as server:
        yield server


@pytest.fixture
def aws(moto: Moto) -> Iterator[Relay]:
    """The same AWS, through a relay that can make single calls fail."""
    with Relay(moto.url) as relay:
        yield relay


@pytest.fixture
def admin(host: Host, aws: Relay) -> Host:
    """A machine whose user may do anything in the account."""
    host.environ |= {**KEYS, "AWS_ENDPOINT_URL": aws.url, "AWS_REGION": REGION}
    return host


@functools.cache
def client(service: str, moto: Moto) -> Any:
    """Return a client that reads the real state."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=moto.url,
        region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


NUMBERS = itertools.count(1)


def fresh(name: str) -> str:
    """Return a name that no other test has."""
    return f"{name}-{next(NUMBERS)}"


def launch(moto: Moto, **options: Any) -> str:
    """Start an instance and return its id."""
    ec2 = client("ec2", moto)
    answer = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, **options)
    return str(answer["Instances"][0]["InstanceId"])


def profiles_of(moto: Moto, instance: str) -> list[str]:
    """Return the instance profiles that are associated with an instance."""
    answer = client("ec2", moto).describe_iam_instance_profile_associations(
        Filters=[{"Name": "instance-id", "Values": [instance]}]
    )
    found = answer["IamInstanceProfileAssociations"]
    return [each["IamInstanceProfile"]["Arn"].rpartition("/")[2] for each in found]


def roles(moto: Moto, *names: str) -> None:
    """Make roles as the command makes them."""
    iam = client("iam", moto)
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("aws"))
        iam.attach_role_policy(RoleName=name, PolicyArn=S3)
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def test_role_is_created_with_policies_and_instance_profile(admin: Host, moto: Moto) -> None:
    said = command.ctl(
        admin, "role", "create", "whole", "--policy", "AmazonS3FullAccess",
        "--policy", "arn:aws:iam::aws:policy/ReadOnlyAccess", "--description", "web servers",
        "--path", "/web/", "--max-session-duration", "7200",
        "--permissions-boundary", "PowerUserAccess",
    )  # fmt: skip

    iam = client("iam", moto)
    role = iam.get_role(RoleName="whole")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "ec2.amazonaws.com"
    }
    assert (role["Path"], role["Description"], role["MaxSessionDuration"]) == (
        "/web/", "web servers", 7200,
    )  # fmt: skip
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("/PowerUserAccess")
    attached = iam.list_attached_role_policies(RoleName="whole")["AttachedPolicies"]
    assert {each["PolicyArn"] for each in attached} == {S3, S3.replace("AmazonS3Full", "ReadOnly")}
    profile = iam.get_instance_profile(InstanceProfileName="whole")["InstanceProfile"]
    assert [each["RoleName"] for each in profile["Roles"]] == ["whole"]
    assert said.splitlines()[:2] == [
        "role whole: created for EC2 instances", f"policy {S3}: attached to whole",
    ]  # fmt: skip
    assert "role whole: added to the instance profile whole" in said


def test_all_of_it_by_real_processes(admin: Host, moto: Moto) -> None:
    instance = launch(moto)
    role = partial(command.real, admin, "role")

    said = [
        role("create", "real", "--policy", "AmazonS3FullAccess"),
        role("list"),
        role("attach", "real", "--instance", instance),
        role("status", "--instance", instance),
        role("launch-options", "real"),
        role("detach", "--instance", instance, "--yes"),
        role("delete", "real", "--yes"),
    ]

    assert [text.splitlines()[0] for text in said] == [
        "role real: created for EC2 instances",
        said[1].splitlines()[0],
        f"role real: attached to {instance}",
        f"instance  {instance} (running) in {REGION}",
        "--iam-instance-profile Name=real --metadata-options HttpTokens=required",
        f"role of real: detached from {instance}",
        f"role real: no instance in {REGION} uses it; other regions were not checked",
    ]


def test_second_creation_changes_nothing(admin: Host, aws: Relay) -> None:
    create = ("role", "create", "twice", "--policy", "AmazonS3FullAccess")
    command.ctl(admin, *create)
    aws.forget()

    found = command.data(admin, *create)

    assert not any(step["changed"] for step in found["steps"])
    assert {label for request in aws.requests for label in request.labels} == {
        "GetCallerIdentity", "GetInstanceProfile", "GetPolicy", "GetRole",
        "ListAttachedRolePolicies", "ListPolicies",
    }  # fmt: skip


def test_existing_role_is_changed_only_after_confirmation(admin: Host, moto: Moto) -> None:
    create = partial(command.data, admin, "role", "create", "grown", "--policy")
    create("AmazonS3FullAccess", "--description", "old", "--max-session-duration", "7200")
    other = ("--description", "new", "--permissions-boundary", "PowerUserAccess")
    refused = failed(admin, "role", "create", "grown", "--policy", S3, *other, status=2)
    iam = client("iam", moto)

    assert refused == (
        "The role grown exists. Change its description from old to new and its permissions "
        "boundary from none to arn:aws:iam::aws:policy/PowerUserAccess? There is no terminal for "
        "a prompt: add --yes"
    )
    assert iam.get_role(RoleName="grown")["Role"]["Description"] == "old"
    found = create("ReadOnlyAccess", "--description", "new", "--yes")

    role = iam.get_role(RoleName="grown")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 7200)
    changed = [step["state"] for step in found["steps"] if step["changed"]]
    assert changed == ["changed (Description)", "attached to grown"]


def test_dry_run_changes_nothing(admin: Host, aws: Relay, moto: Moto) -> None:
    said = command.ctl(admin, "role", "create", "dry", "--policy", S3, "--dry-run")

    assert said.splitlines() == [
        "role dry: would be created for EC2 instances",
        f"policy {S3}: would be attached to dry",
        "instance profile dry: would be created",
        "role dry: would be added to the instance profile dry",
    ]
    iam = client("iam", moto)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="dry")


@pytest.mark.parametrize(
    ("broken", "done"),
    [
        ("AttachRolePolicy", "role broken created for EC2 instances"),
        ("CreateInstanceProfile", f"policy {S3} attached to broken"),
        ("AddRoleToInstanceProfile", "instance profile broken created"),
    ],
)
def test_failed_step_lists_completed_steps_and_another_run_completes_it(
    broken: str, done: str, admin: Host, aws: Relay, moto: Moto
) -> None:
    create = ("role", "create", f"broken-{broken}"[:64], "--policy", "AmazonS3FullAccess")
    aws.break_(broken, iam_error("AccessDenied", "not authorized", 403), times=1)

    result = Inside(admin).run(*create)

    error = one_line(result)
    assert result.status == 1
    assert "AccessDenied: not authorized" in error
    assert done.replace("broken", create[2]) in error
    assert error.endswith("re-run the command to continue")
    command.ctl(admin, *create)
    profile = client("iam", moto).get_instance_profile(InstanceProfileName=create[2])
    assert profile["InstanceProfile"]["Roles"][0]["RoleName"] == create[2]


@pytest.mark.parametrize("action", ["AttachRolePolicy", "AddRoleToInstanceProfile"])
def test_resource_that_iam_does_not_know_yet_is_waited_for(
    action: str, admin: Host, aws: Relay
) -> None:
    error = iam_error("NoSuchEntity", "The role with name late cannot be found.", 404)
    aws.break_(action, error, times=2)

    result = Inside(admin).run("role", "create", f"late-{action}", "--policy", "AmazonS3FullAccess")

    assert result.status == 0, result
    assert result.stderr.count("waiting for up to 60 s") == 1
    assert aws.count(action) == 3


def test_policy_of_the_account_is_found_by_its_name(admin: Host, moto: Moto) -> None:
    iam = client("iam", moto)
    document = json.dumps(ANYTHING)
    arn = iam.create_policy(PolicyName="ours", Path="/team/", PolicyDocument=document)
    iam.create_policy(PolicyName="IAMReadOnlyAccess", PolicyDocument=document)

    found = command.data(admin, "role", "create", "own", "--policy", "ours", "--dry-run")
    ambiguous = failed(admin, "role", "create", "own", "--policy", "IAMReadOnlyAccess", status=2)

    assert found["policies"] == [arn["Policy"]["Arn"]]
    assert "AWS and this account both have a policy IAMReadOnlyAccess: give its ARN" in ambiguous
    assert "arn:aws:iam::123456789012:policy/IAMReadOnlyAccess" in ambiguous


def test_policy_of_aws_below_a_path_is_found_by_its_name(admin: Host) -> None:
    name = "AmazonEC2RoleforSSM"

    found = command.data(admin, "role", "create", "ssm", "--policy", name, "--dry-run")

    assert found["policies"] == [f"arn:aws:iam::aws:policy/service-role/{name}"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["new", "--policy", "AmazonS3FullAcces"], "did you mean AmazonS3FullAccess or"),
        (["new", "--policy", f"{S3}X"], "there is no policy arn:aws"),
        (["new", "--policy", "arn:aws:s3:::bucket"], "must be a policy's ARN"),
        (["a b", "--policy", S3], "the role's name must be 1 to 64 characters"),
        (["new", "--policy", S3, "--path", "web"], "--path: must begin and end with /"),
        (["new", "--policy", S3, "--max-session-duration", "900"], "3600 to 43200"),
        (["new"], "--policy is missing"),
    ],
)
def test_mistake_is_found_before_anything_is_created(
    arguments: list[str], reason: str, admin: Host, aws: Relay
) -> None:
    assert reason in failed(admin, "role", "create", *arguments, status=2)
    assert not any(
        label.startswith(("Create", "Attach")) for each in aws.requests for label in each.labels
    )


def test_role_of_another_kind_is_left_alone(admin: Host, moto: Moto) -> None:
    client("iam", moto).create_role(RoleName="lambda", AssumeRolePolicyDocument=json.dumps(ANYBODY))

    assert "exists, but EC2 may not assume it" in failed(
        admin, "role", "create", "lambda", "--policy", S3, status=2
    )
    assert "is not for EC2 alone (* may assume it)" in failed(
        admin, "role", "delete", "lambda", "--yes", status=2
    )
    assert "lambda" not in [each["role"] for each in command.data(admin, "role", "list")]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_role_that_others_may_assume_gets_no_policy_of_ec2(
    options: tuple[str, ...], admin: Host, aws: Relay, moto: Moto
) -> None:
    name = fresh("shared")
    iam = client("iam", moto)
    root = "arn:aws:iam::444455556666:root"
    trusted = {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"], "AWS": root}
    policy = json.loads(trust("aws"))
    policy["Statement"][0]["Principal"] = trusted
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))
    create = ("role", "create", name, "--policy", S3, "--description", "new", "--yes")

    error = failed(admin, *create, *options, status=2)

    assert error == (
        f"the role {name} exists, and may also be assumed by lambda.amazonaws.com, {root}, which "
        f"would get the policy {S3}, too: choose another name, or attach the policy by hand (aws "
        f"iam attach-role-policy --role-name {name} --policy-arn {S3}) and run this again"
    )
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    assert "Description" not in iam.get_role(RoleName=name)["Role"]
    by_hand = error.partition("(aws ")[2].partition(")")[0].split()
    done = admin.run(*by_hand, command="aws", AWS_DEFAULT_REGION=REGION)
    assert done.status == 0, done
    command.ctl(admin, *create)
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert [each["RoleName"] for each in profile["Roles"]] == [name]


def test_instance_profile_with_another_role_is_left_alone(admin: Host, moto: Moto) -> None:
    roles(moto, "tenant")
    iam = client("iam", moto)
    iam.create_instance_profile(InstanceProfileName="taken")
    iam.add_role_to_instance_profile(InstanceProfileName="taken", RoleName="tenant")

    error = failed(admin, "role", "create", "taken", "--policy", S3, status=2)

    assert "the instance profile taken contains another role, tenant" in error
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="taken")


def test_failure_is_json_too_with_the_steps_that_were_done(admin: Host, aws: Relay) -> None:
    aws.break_("CreateInstanceProfile", iam_error("AccessDenied", "not authorized", 403), times=1)

    result = Inside(admin).run("role", "create", "halfmade", "--policy", S3, "--output", "json")

    output = json.loads(result.stdout)
    assert (result.status, output["status"]) == (1, 1)
    assert output["error"] == one_line(result)
    assert [step["state"] for step in output["steps"] if step["changed"]] == [
        "created for EC2 instances", "attached to halfmade"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("role", "create", "x", "--policy", S3, "--permissions-boundary", ""),
        ("role", "create", "", "--policy", S3),
        ("role", "detach", "", "--instance", "i-0123456789abcdef0", "--yes"),
        ("role", "delete", " ", "--yes"),
        ("cache", "clear", ""),
        ("cache", "list", "--cache-dir", ""),
        ("cache", "list", "--cache-dir="),
        ("profile", "add", "x", "--region", "", "--", "--imds"),
    ],
)
def test_empty_value_is_refused_before_anything_is_done(
    words: tuple[str, ...], admin: Host, aws: Relay
) -> None:
    assert failed(admin, *words, status=2).endswith(": empty value (an unset variable?)")
    assert aws.requests == []


def test_role_that_is_not_found_for_a_while_after_its_creation_is_waited_for(
    admin: Host, aws: Relay
) -> None:
    missing = iam_error("NoSuchEntity", "The role with name slow cannot be found.", 404)
    aws.break_("GetRole", missing, times=3)

    result = Inside(admin).run("role", "create", "slow", "--policy", S3)

    assert result.status == 0, result
    assert result.stderr.count("not visible everywhere in IAM yet: waiting for up to 60 s") == 1


def test_role_is_attached_replaced_and_detached(admin: Host, moto: Moto) -> None:
    roles(moto, "first", "second")
    instance = launch(moto)

    given = command.ctl(admin, "role", "attach", "first", "--instance", instance)
    again = command.data(admin, "role", "attach", "first", "--instance", instance)
    assert profiles_of(moto, instance) == ["first"]
    refused = failed(admin, "role", "attach", "second", "--instance", instance, status=2)
    assert profiles_of(moto, instance) == ["first"]
    exchanged = command.ctl(admin, "role", "attach", "second", "--instance", instance, "--yes")
    assert profiles_of(moto, instance) == ["second"]
    other = failed(admin, "role", "detach", "first", "--instance", instance, "--yes", status=2)
    command.ctl(admin, "role", "detach", "second", "--instance", instance, "--yes")
    assert profiles_of(moto, instance) == []
    gone = command.data(admin, "role", "detach", "--instance", instance, "--yes")

    assert f"role first: attached to {instance}\n" in given
    assert "credprocctl profile add first --from-role first" in given
    assert [step["changed"] for step in again["steps"]] == [False]
    assert f"Replace the role of {instance} (instance profile first) with second?" in refused
    assert "add --yes" in refused
    assert f"role second: attached to {instance}, replacing first\n" in exchanged
    assert (
        f"{instance} has the instance profile second, which is not one of the role first" in other
    )
    assert [step["state"] for step in gone["steps"]] == ["has no role"]


def test_replacement_says_how_to_clear_the_old_role_from_the_cache(admin: Host, moto: Moto) -> None:
    before, after = fresh("before"), fresh("after")
    roles(moto, before, after)
    instance = launch(moto)
    attach = partial(command.ctl, admin, "role", "attach")
    remedy = (
        f"prints cached credentials of {before} until it refreshes them: run `credprocctl cache "
        f"clear --all` on {instance} (or credproc with --refresh)"
    )

    given = attach(before, "--instance", instance)
    dry = attach(after, "--instance", instance, "--dry-run")
    exchanged = attach(after, "--instance", instance, "--yes")
    again = attach(after, "--instance", instance)
    data = command.data(admin, "role", "attach", before, "--instance", instance, "--yes")

    assert f"\ncredproc: {remedy}\nOther running programs see it within a minute." in exchanged
    assert {"subject": "credproc", "state": remedy.replace(before, after), "changed": False} in (
        data["steps"]
    )
    assert not [said for said in (given, dry, again) if "cache clear" in said]
    assert "\nRunning programs see it within a minute." in given


@pytest.mark.parametrize(
    "error",
    [
        ec2_error("InvalidParameterValue", "Value (slow) for parameter iamInstanceProfile.name is "
                  "invalid. Invalid IAM Instance Profile name"),
        ec2_error("InvalidParameterValue", "Invalid IAM Instance Profile ARN"),
    ],
)  # fmt: skip
def test_resource_that_ec2_does_not_know_yet_is_waited_for(
    error: Any, admin: Host, aws: Relay, moto: Moto
) -> None:
    name = fresh("slow")
    roles(moto, name)
    instance = launch(moto)
    aws.break_("AssociateIamInstanceProfile", error, times=2)

    result = Inside(admin).run("role", "attach", name, "--instance", instance)

    assert result.status == 0, result
    assert "not visible everywhere in AWS yet: waiting" in result.stderr
    assert aws.count("AssociateIamInstanceProfile") == 3


def test_attach_returns_when_the_role_is_in_place(admin: Host, aws: Relay, moto: Moto) -> None:
    roles(moto, "placed")
    instance = launch(moto)
    describe = "DescribeIamInstanceProfileAssociations"
    pending = replaced("<state>associated</state>", "<state>associating</state>")
    for number in (2, 3):  # the first one reads the state
        aws.break_(describe, pending, nth=number)

    result = Inside(admin).run("role", "attach", "placed", "--instance", instance)

    assert result.status == 0, result
    assert f"{instance}: EC2 is attaching the role: waiting" in result.stderr
    assert aws.count(describe) == 4
    assert result.stdout.decode().splitlines()[1] == f"role placed: in effect on {instance}"


def test_interruption_while_waiting_lists_completed_steps(
    admin: Host, aws: Relay, moto: Moto
) -> None:
    roles(moto, "halted")
    instance = launch(moto)
    pending = replaced("<state>associated</state>", "<state>associating</state>")
    process = None
    with aws.hold("AssociateIamInstanceProfile") as hold:
        process = admin.start(
            "role", "attach", "halted", "--instance", instance, command=CREDPROCCTL
        )
        hold.wait_for()
        aws.break_("DescribeIamInstanceProfileAssociations", pending)
    before = aws.count("DescribeIamInstanceProfileAssociations")
    aws.wait_for(before + 2, "DescribeIamInstanceProfileAssociations")
    process.signal(2)

    result = process.wait()

    assert result.status == 130
    assert "interrupted; done before that: role halted attached to" in result.stderr


def test_instance_that_is_not_there_is_a_clear_error(admin: Host, moto: Moto) -> None:
    roles(moto, "ready")

    assert f"there is no instance i-0 in {REGION}: check its id" in failed(
        admin, "role", "attach", "ready", "--instance", "i-0", status=2
    )
    assert "there is no role missing: see `credprocctl role list`" in failed(
        admin, "role", "attach", "missing", "--instance", "i-0", status=2
    )


def test_terminated_instance_is_refused(admin: Host, moto: Moto) -> None:
    roles(moto, "ready2")
    instance = launch(moto)
    client("ec2", moto).terminate_instances(InstanceIds=[instance])

    assert f"the instance {instance} is terminated" in failed(
        admin, "role", "attach", "ready2", "--instance", instance, status=2
    )


def test_role_of_this_very_instance(admin: Host, imds: ImdsServer, moto: Moto, aws: Relay) -> None:
    roles(moto, "here")
    instance = launch(moto)
    # EC2 calls the instance by the id that IMDS has.
    imds.fail("instance-id", lambda exchange: exchange.reply(answer(instance)))
    admin.environ |= {"AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url, "AWS_REGION": None}

    command.ctl(admin, "role", "attach", "here", "--instance", "this")
    imds.role = "here"
    found = command.data(admin, "role", "status")

    assert profiles_of(moto, instance) == ["here"]
    assert (found["instance"], found["region"]) == (instance, imds.region)
    assert found["associations"][0]["roles"] == ["here"]
    assert found["imds"]["role"] == "here"


def answer(body: str) -> Any:
    """Return a plain answer."""
    from tests.servers.wire import text

    return text(body)


def test_this_needs_an_instance(admin: Host) -> None:
    assert "this is not an EC2 instance" in failed(
        admin, "role", "attach", "x", "--instance", "this", status=1
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
         "IMDSv2 required; hop limit 2: containers can reach IMDS"),
        ({"HttpTokens": "optional", "HttpPutResponseHopLimit": 1},
         "IMDSv1 is allowed, too (HttpTokens=required forbids it); hop limit 1: containers"),
        ({"HttpEndpoint": "disabled"}, "IMDS is turned off for this instance"),
    ],
)  # fmt: skip
def test_status_shows_what_imds_requires(
    options: dict[str, Any], words: str, admin: Host, moto: Moto
) -> None:
    instance = launch(moto, MetadataOptions=options)

    said = command.ctl(admin, "role", "status", "--instance", instance)

    assert words in said
    assert "role      none: no instance profile is associated" in said
    assert INSTANCE not in said


def test_list_shows_policies_instances_and_descriptions(admin: Host, moto: Moto) -> None:
    command.ctl(admin, "role", "create", "shown", "--policy", S3, "--description", "two\nlines")
    instance = launch(moto)
    command.ctl(admin, "role", "attach", "shown", "--instance", instance)

    lines = command.ctl(admin, "role", "list").splitlines()
    (found,) = [each for each in command.data(admin, "role", "list") if each["role"] == "shown"]

    assert lines[0].split() == ["ROLE", "INSTANCES", "POLICIES", "DESCRIPTION"]
    assert [" ".join(line.split()) for line in lines if line.startswith("shown ")] == [
        f"shown {instance} AmazonS3FullAccess two lines"
    ]
    assert found["instances"] == [instance]
    assert found["instance_profiles"] == ["shown"]


def test_list_works_without_access_to_ec2(admin: Host, aws: Relay, moto: Moto) -> None:
    roles(moto, "alone")
    denied = ec2_error("UnauthorizedOperation", "You are not authorized", 403)
    aws.break_("DescribeIamInstanceProfileAssociations", denied)

    result = Inside(admin).run("role", "list")

    assert result.status == 0
    assert result.stderr == (
        "credprocctl: the list is incomplete: UnauthorizedOperation: You are not authorized: a "
        "policy of the caller must allow ec2:DescribeIamInstanceProfileAssociations\n"
    )
    assert [line.split()[1] for line in result.stdout.decode().splitlines()[1:]].count("?") > 0


def test_launch_options_start_an_instance_with_the_role(admin: Host, moto: Moto) -> None:
    roles(moto, "launched")
    options = command.ctl(admin, "role", "launch-options", "launched").split()

    result = admin.run(
        "ec2", "run-instances", "--image-id", "ami-12c6146b", *options, command="aws",
        AWS_DEFAULT_REGION=REGION,
    )  # fmt: skip

    assert result.status == 0, result
    (started,) = json.loads(result.stdout)["Instances"]
    assert profiles_of(moto, started["InstanceId"]) == ["launched"]
    assert started["MetadataOptions"]["HttpTokens"] == "required"


def test_deletion_removes_everything_that_creation_created(admin: Host, moto: Moto) -> None:
    roles(moto, "doomed")
    iam = client("iam", moto)
    document = json.dumps(ANYTHING)
    iam.put_role_policy(RoleName="doomed", PolicyName="inline", PolicyDocument=document)

    refused = failed(admin, "role", "delete", "doomed", status=2)
    dry = command.ctl(admin, "role", "delete", "doomed", "--dry-run")
    iam.get_role(RoleName="doomed")
    said = command.ctl(admin, "role", "delete", "doomed", "--yes")
    again = command.ctl(admin, "role", "delete", "doomed", "--yes")

    for ask, name in (
        (iam.get_role, {"RoleName": "doomed"}),
        (iam.get_instance_profile, {"InstanceProfileName": "doomed"}),
    ):
        with pytest.raises(iam.exceptions.NoSuchEntityException):
            ask(**name)
    assert refused.startswith(
        f"No instance in {REGION} uses it; other regions were not checked. Delete the role "
        "doomed and the instance profile doomed?"
    )
    assert f"role doomed: no instance in {REGION} uses it; other regions were not" in said
    assert said.splitlines() == [line.replace("would be ", "") for line in dry.splitlines()]
    assert "inline policy inline: deleted from doomed" in said
    assert again == "There is no role doomed.\n"


def test_interrupted_deletion_is_completed_by_another(admin: Host, aws: Relay, moto: Moto) -> None:
    roles(moto, "halfway")
    aws.break_("DeleteRole", iam_error("ServiceFailure", "down", 500))

    result = Inside(admin).run("role", "delete", "halfway", "--yes")
    assert result.status == 1, result
    error = one_line(result)
    aws.heal()
    command.ctl(admin, "role", "delete", "halfway", "--yes")

    assert "role halfway could not be deleted: ServiceFailure" in error
    assert "policy " + S3 + " detached from halfway" in error
    with pytest.raises(Exception, match="NoSuchEntity"):
        client("iam", moto).get_role(RoleName="halfway")


def test_role_in_use_is_not_deleted(admin: Host, moto: Moto) -> None:
    roles(moto, "busy")
    instance = launch(moto)
    command.ctl(admin, "role", "attach", "busy", "--instance", instance)

    error = failed(admin, "role", "delete", "busy", "--yes", status=2)

    assert (
        f"in use by {instance}: run `credprocctl role detach --instance {instance}` first" in error
    )


@pytest.mark.parametrize(("reply", "left"), [("n\n", True), ("\n", True), ("y\n", False)])
def test_user_on_the_terminal_is_prompted_for_confirmation(
    reply: str, left: bool, admin: Host, moto: Moto
) -> None:
    name = fresh("prompted")
    roles(moto, name)

    with Terminal([CREDPROCCTL, "role", "delete", name], admin.env()) as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type(reply)
        status, shown = terminal.end()

    names = [each["RoleName"] for each in client("iam", moto).list_roles()["Roles"]]
    assert (name in names) == left
    assert status == int(left)
    assert ("nothing was changed" in shown) == left


def test_account_without_credentials_is_a_clear_error(admin: Host) -> None:
    error = failed(
        admin, "role", "list", status=2, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None
    )

    assert error.startswith("no AWS credentials found")


def test_unknown_profile_is_a_clear_error(admin: Host) -> None:
    config = admin.config("[profile laptop]\n")

    named = failed(admin, "role", "list", "--profile", "missing", status=2)
    typed = failed(admin, "role", "list", status=2, AWS_PROFILE="labtop")

    assert named == f"there is no profile missing in {config}; the profiles are: laptop"
    assert typed == f"there is no profile labtop in {config}; did you mean laptop?"


def test_missing_region_is_a_clear_error(admin: Host, moto: Moto) -> None:
    roles(moto, "somewhere")

    error = failed(
        admin, "role", "attach", "somewhere", "--instance", "i-1", status=2, AWS_REGION=None
    )

    assert error.startswith("no region: give --region")


def test_service_out_of_reach_is_one_line(admin: Host) -> None:
    error = failed(admin, "role", "list", status=1, AWS_ENDPOINT_URL="http://127.0.0.1:1")

    assert error.startswith("no answer from AWS: Could not connect to the endpoint URL")
    assert error.endswith(": check the network, and HTTPS_PROXY if you need a proxy")


def test_proxy_out_of_reach_is_what_to_check(admin: Host) -> None:
    error = failed(
        admin, "role", "list", AWS_ENDPOINT_URL="https://iam.example.com",
        HTTPS_PROXY="http://127.0.0.1:1",
    )  # fmt: skip

    assert error.startswith("no answer from AWS: Failed to connect to proxy URL")
    assert error.endswith(": check HTTPS_PROXY")


def test_no_secret_is_shown_however_it_fails(admin: Host, aws: Relay) -> None:
    secret = KEYS["AWS_SECRET_ACCESS_KEY"]
    aws.break_("ListRoles", iam_error("AccessDenied", f"with {secret}", 403))

    result = Inside(admin).run("role", "list", "-v")

    assert "AccessDenied" in result.stdout.decode() + result.stderr
    assert secret not in result.stderr + result.stdout.decode()


def test_boundary_is_added_to_a_role_that_is_there(admin: Host, moto: Moto) -> None:
    roles(moto, "bounded")
    create = ("role", "create", "bounded", "--policy", S3, "--permissions-boundary")

    command.ctl(admin, *create, "PowerUserAccess", "--yes")
    again = command.data(admin, *create, "PowerUserAccess")

    role = client("iam", moto).get_role(RoleName="bounded")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith("/PowerUserAccess")
    assert not any(step["changed"] for step in again["steps"])


def test_path_of_a_role_that_is_there_stays(admin: Host, moto: Moto) -> None:
    roles(moto, "rooted")

    error = failed(admin, "role", "create", "rooted", "--policy", S3, "--path", "/x/", status=2)

    assert error == "the role rooted has the path /, which cannot be changed"


def test_role_without_an_instance_profile_is_an_error(admin: Host, moto: Moto) -> None:
    iam = client("iam", moto)
    iam.create_role(RoleName="bare", AssumeRolePolicyDocument=trust("aws"))

    error = failed(admin, "role", "launch-options", "bare", status=2)
    (line,) = [
        each.split() for each in command.ctl(admin, "role", "list").splitlines()
        if each.startswith("bare ")
    ]  # fmt: skip
    command.ctl(admin, "role", "delete", "bare", "--yes")

    assert "the role bare is in no instance profile" in error
    assert line == ["bare", "no", "instance", "profile", "-"]


def test_role_is_attached_by_an_instance_profile_of_another_name(admin: Host, moto: Moto) -> None:
    iam = client("iam", moto)
    iam.create_role(RoleName="guest", AssumeRolePolicyDocument=trust("aws"))
    iam.create_instance_profile(InstanceProfileName="hotel")
    iam.add_role_to_instance_profile(InstanceProfileName="hotel", RoleName="guest")
    instance = launch(moto)

    command.ctl(admin, "role", "attach", "guest", "--instance", instance)
    found = command.data(admin, "role", "status", "--instance", instance)
    command.ctl(admin, "role", "detach", "--instance", instance, "--yes")
    said = command.ctl(admin, "role", "delete", "guest", "--yes")

    assert found["associations"][0]["roles"] == ["guest"]
    assert found["associations"][0]["instance_profile"].endswith("/hotel")
    assert "role guest: removed from the instance profile hotel" in said
    iam.get_instance_profile(
        InstanceProfileName="hotel"
    )  # it is not deleted, although another tool may own it


def test_leftover_instance_profile_is_deleted(admin: Host, moto: Moto) -> None:
    client("iam", moto).create_instance_profile(InstanceProfileName="leftover")

    said = command.ctl(admin, "role", "delete", "leftover", "--yes")

    assert said.endswith("instance profile leftover: deleted\n")


def test_instance_profile_of_the_name_with_another_role_stays(admin: Host, moto: Moto) -> None:
    roles(moto, "lodger")
    iam = client("iam", moto)
    iam.create_instance_profile(InstanceProfileName="house")
    iam.add_role_to_instance_profile(InstanceProfileName="house", RoleName="lodger")

    error = failed(admin, "role", "delete", "house", "--yes", status=2)

    assert error == "the instance profile house contains another role, lodger: remove that first"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("GetRole", ("delete", "x", "--yes")),
        ("GetInstanceProfile", ("delete", "x", "--yes")),
        ("GetPolicy", ("create", "x", "--policy", S3)),
    ],
)
def test_refused_confirmation_is_one_line(
    admin: Host, aws: Relay, action: str, words: tuple[str, ...]
) -> None:
    refuse = ec2_error if action.startswith("Describe") else iam_error
    aws.break_(action, refuse("AccessDenied", f"not authorized: {action}", 403))

    assert failed(admin, "role", *words) == (
        f"AccessDenied: not authorized: {action}: a policy of the caller must allow iam:{action}"
    )


def test_account_without_such_roles_is_reported(admin: Host, aws: Relay) -> None:
    aws.break_("ListRoles", faults.body(EMPTY, "text/xml"))

    assert command.ctl(admin, "role", "list").startswith(
        "No role in this account can be assumed by EC2."
    )
    assert command.data(admin, "role", "list") == []


EMPTY = b"""<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult>
<IsTruncated>false</IsTruncated><Roles/></ListRolesResult></ListRolesResponse>"""


def test_imds_that_does_not_name_the_instance_is_reported(admin: Host, imds: ImdsServer) -> None:
    imds.fail("instance-id", faults.status(404))

    error = failed(admin, "role", "status", status=2, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)

    assert error == "IMDS does not return the id of this instance: give --instance ID"


def test_status_of_another_instance_does_not_call_imds(
    admin: Host, imds: ImdsServer, moto: Moto
) -> None:
    instance = launch(moto)

    said = command.ctl(
        admin, "role", "status", "--instance", instance, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url
    )

    assert "IMDS      not checked: this is another machine" in said
    assert imds.count("list") == 0


def test_dry_run_of_a_replacement_does_not_ask_for_confirmation(admin: Host, moto: Moto) -> None:
    roles(moto, "then", "now")
    instance = launch(moto)
    command.ctl(admin, "role", "attach", "then", "--instance", instance)

    exchange = command.ctl(admin, "role", "attach", "now", "--instance", instance, "--dry-run")
    removal = command.ctl(admin, "role", "detach", "--instance", instance, "--dry-run")

    assert exchange == f"role now: would be attached to {instance}, replacing then\n"
    assert removal == f"role of then: would be detached from {instance}\n"
    assert profiles_of(moto, instance) == ["then"]


def test_role_that_is_just_being_put_in_place_is_waited_for(
    admin: Host, aws: Relay, moto: Moto
) -> None:
    roles(moto, "coming")
    instance = launch(moto)
    command.ctl(admin, "role", "attach", "coming", "--instance", instance)
    pending = replaced("<state>associated</state>", "<state>associating</state>")
    aws.break_("DescribeIamInstanceProfileAssociations", pending, times=2)

    result = Inside(admin).run("role", "attach", "coming", "--instance", instance)

    assert result.status == 0, result
    assert "EC2 is attaching the role: waiting" in result.stderr


def test_detachment_is_waited_for(admin: Host, aws: Relay, moto: Moto) -> None:
    roles(moto, "going")
    instance = launch(moto)
    command.ctl(admin, "role", "attach", "going", "--instance", instance)
    describe = "DescribeIamInstanceProfileAssociations"
    held: list[Answer] = []

    def keep(exchange: Exchange) -> None:
        """Answer normally, and remember what was said."""
        held.append(exchange.normal())
        exchange.reply(held[0])

    aws.break_(describe, keep, nth=1)
    aws.break_(describe, lambda exchange: exchange.reply(held[0]), nth=2)

    result = Inside(admin).run("role", "detach", "--instance", instance, "--yes")

    assert result.status == 0, result
    assert "EC2 is detaching the role: waiting" in result.stderr


#: Every request of `role list` and `role status` to each service.
IAM = (
    "GetInstanceProfile", "ListAttachedRolePolicies", "ListInstanceProfiles", "ListRolePolicies",
    "ListRoles",
)  # fmt: skip
EC2 = ("DescribeIamInstanceProfileAssociations", "DescribeInstances")


def deny(aws: Relay, *actions: str) -> None:
    """Allow the caller nothing of this."""
    for action in actions:
        text = f"User: arn:aws:iam::1:user/x is not authorized to perform: iam:{action}"
        refusal = iam_error("AccessDenied", f"{text} on resource: y", 403)
        if action in EC2:
            text = "You are not authorized to perform this operation."
            encoded = "Encoded authorization failure message: 4z8kAAAA"
            refusal = ec2_error("UnauthorizedOperation", f"{text} {encoded}", 403)
        aws.break_(action, refusal)


def test_list_and_status_work_where_only_ec2_is_allowed(
    admin: Host, aws: Relay, moto: Moto
) -> None:
    roles(moto, "seen")
    instance = launch(moto, IamInstanceProfile={"Name": "seen"})
    deny(aws, *IAM)

    listed = Inside(admin).run("role", "list")
    shown = Inside(admin).run("role", "status", "--instance", instance)
    found = command.data(admin, "role", "status", "--instance", instance)

    (row,) = [
        line for line in listed.stdout.decode().splitlines() if "(instance profile seen)" in line
    ]
    assert row.split()[:6] == ["?", "(instance", "profile", "seen)", instance, "?"]
    assert listed.stderr.count("a policy of the caller must allow iam:ListRoles") == 1
    assert "unknown (instance profile seen, associated)" in shown.stdout.decode()
    assert "iam:GetInstanceProfile" in shown.stderr
    assert found["associations"][0]["roles"] is None
    assert found["metadata"]["hop_limit"] == 1


def test_list_works_where_only_roles_may_be_listed(admin: Host, aws: Relay, moto: Moto) -> None:
    roles(moto, "bare", "other")
    deny(aws, *EC2, *[action for action in IAM if action != "ListRoles"])

    result = Inside(admin).run("role", "list")

    lines = [line.split() for line in result.stdout.decode().splitlines()]
    assert ["bare", "?", "?"] in lines
    assert sorted(re.findall(r"must allow (\S+)", result.stderr)) == [
        "ec2:DescribeIamInstanceProfileAssociations", "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfiles",
    ]  # fmt: skip
    assert "Encoded" not in result.stderr


def test_status_of_this_instance_works_where_nothing_is_allowed(
    admin: Host, aws: Relay, imds: ImdsServer
) -> None:
    deny(aws, *IAM, *EC2)
    result = Inside(admin).run("role", "status", AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)

    said = result.stdout.decode()
    assert result.status == 0
    assert "role      unknown\n" in said
    assert "IMDS      the role is app\n" in said


@pytest.mark.parametrize("words", [("list",), ("status", "--instance", "i-0123456789abcdef0")])
def test_nothing_allowed_is_one_line_that_names_the_action(
    admin: Host, aws: Relay, words: tuple[str, ...]
) -> None:
    deny(aws, *IAM, *EC2)

    error = failed(admin, "role", *words)

    assert re.search(
        "a policy of the caller must allow (iam:ListRoles|ec2:DescribeInstances)$", error
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("You are not authorized to perform this operation.",
         "must allow ec2:AssociateIamInstanceProfile, and iam:PassRole for the role"),
        ("x is not authorized to perform: iam:PassRole on y", "must allow iam:PassRole"),
        ("x is not authorized to perform: ec2:AssociateIamInstanceProfile with an explicit deny",
         "a policy explicitly denies ec2:AssociateIamInstanceProfile and must be changed"),
    ],
)  # fmt: skip
def test_denied_change_names_the_action_that_is_missing(
    admin: Host, aws: Relay, moto: Moto, text: str, hint: str
) -> None:
    name = fresh("denied")
    roles(moto, name)
    instance = launch(moto)
    aws.break_("AssociateIamInstanceProfile", ec2_error("UnauthorizedOperation", text, 403))

    error = failed(admin, "role", "attach", name, "--instance", instance)

    assert hint in error


def test_dry_run_of_a_creation_says_what_the_caller_may_not_look_up(
    admin: Host, aws: Relay
) -> None:
    deny(aws, "ListPolicies")
    words = ("role", "create", "dry", "--policy", "Ours", "--policy", "AmazonS3FullAccess")
    result = Inside(admin).run(*words, "--dry-run")
    found = command.data(admin, *words, "--dry-run")

    assert result.status == 0, result
    said = result.stdout.decode()
    assert f"policy {S3}: would be attached to dry" in said
    assert "policy Ours: would be attached to dry" in said
    assert result.stderr.count("not checked: ") == 1
    assert "must allow iam:ListPolicies; or give the policy's ARN\n" in result.stderr
    assert len(found["unchecked"]) == 1
    assert "iam:ListPolicies; or give the policy's ARN" in failed(admin, *words)


def test_dry_run_of_a_creation_works_where_nothing_may_be_looked_up(
    admin: Host, aws: Relay
) -> None:
    deny(aws, "ListPolicies", "GetPolicy", "GetRole", *IAM)
    for policy in (S3, "AmazonS3FullAccess"):
        words = ("role", "create", "dry", "--policy", policy, "--dry-run")
        result = Inside(admin).run(*words)

        assert result.status == 0, result
        assert f"policy {policy}: would be attached to dry" in result.stdout.decode()
        missing = re.findall(r"not checked: .* must allow iam:(\w+)", result.stderr)
        assert {"GetPolicy", "GetRole", "GetInstanceProfile"} <= set(missing)
