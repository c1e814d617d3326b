"""Who may call, and which resource a permission is about."""

import contextvars
import json
import os
import urllib.parse

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

_cluster = contextvars.ContextVar("cluster", default=None)
_simulated = contextvars.ContextVar("simulated", default={})


def apply():
    # AWS knows no key "test", and an account number isn't a key. Without this they would all be the root user, and a
    # pipeline with a wrong key would pass here and fail with UnrecognizedClientException on AWS.
    # Except for accounts that a test asks for: their number is their root user's key, as the emulator has it.
    others = [account for account in os.environ.get("OTHER_ACCOUNTS", "").split(",") if account]
    iam_evaluator.is_root_access_key = lambda key: key == os.environ["AWS_ACCESS_KEY_ID"] or key in others
    original, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce
    iam_actions.extract_resource_arn = lambda *request: resource(*request) or original(*request)

    def with_cluster(*args, service_context=None, **named):
        key = {"ecs:cluster": _cluster.get()} if _cluster.get() else {}
        return enforce(*args, service_context={**(service_context or {}), **key}, **named)

    iam_evaluator.enforce = with_cluster
    evaluate = iam_evaluator.evaluate

    def with_entries(context, *rest):
        context.service_context = {**context.service_context, **_simulated.get()}
        return evaluate(context, *rest)

    iam_evaluator.evaluate = with_entries
    simulate = iam._IAM_HANDLERS["SimulatePrincipalPolicy"]
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = lambda data: simulate_with(simulate, data)


def simulate_with(original, data):
    """SimulatePrincipalPolicy: the emulator does not look at ContextEntries, which the conditions of policies are about."""
    names = (f"ContextEntries.member.{number}" for number in range(1, 10))
    entries = {iam._p(data, f"{name}.ContextKeyName"): iam._p(data, f"{name}.ContextKeyValues.member.1") for name in names}
    token = _simulated.set({key.lower(): value for key, value in entries.items() if key})
    try:
        return original(data)
    finally:
        _simulated.reset(token)


def resource(service, _method, _path, headers, body, _query, region, account):
    """The resource of a call, as the Service Authorization Reference has it; None if the emulator's own is right.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    _cluster.set(None)
    if service == "iam":
        return urllib.parse.parse_qs((body or b"").decode()).get("PolicySourceArn", [None])[0]
    if service not in ("ecs", "ecr", "logs"):
        return None
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    data = json.loads(body or b"{}")
    arn = f"arn:aws:{service}:{region}:{account}"
    if service == "logs":
        group, stream = data.get("logGroupName"), data.get("logStreamName")
        return f"{arn}:log-group:{group}:log-stream:{stream}" if group and stream else None
    if service == "ecr":
        return next((f"{arn}:repository/{name}" for name in data.get("repositoryNames") or []), None)
    cluster = (data.get("cluster") or "default").rsplit("/", 1)[-1]
    _cluster.set(f"{arn}:cluster/{cluster}")
    named = lambda kind, name: name if name.startswith("arn:") else f"{arn}:{kind}/{cluster}/{name}"
    if action in ("DescribeServices", "UpdateService", "DeleteService", "ListServiceDeployments"):
        return named("service", data.get("service") or (data.get("services") or [""])[0])
    if action in ("DescribeTasks", "StopTask"):
        return named("task", data.get("task") or (data.get("tasks") or [""])[0])
    if action == "RegisterTaskDefinition":
        return f"{arn}:task-definition/{data.get('family')}:1"
    if action == "RunTask":
        name = data.get("taskDefinition", "")
        return name if name.startswith("arn:") else f"{arn}:task-definition/{name if ':' in name else name + ':1'}"
    several = data.get("serviceDeploymentArns") or data.get("serviceRevisionArns") or []
    one = data.get("resourceArn") or data.get("serviceDeploymentArn") or next(iter(several), None)
    return one or "*"
