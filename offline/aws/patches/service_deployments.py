"""ECS: the record of service deployments, stopping one, and PAUSE hooks. The emulator's own answers to these calls are empty.

After the ECS API reference (ServiceDeployment, ServiceRevision, ListServiceDeployments, DescribeServiceDeployments,
DescribeServiceRevisions, StopServiceDeployment, ContinueServiceDeployment) and the developer guide, "Pause hooks for Amazon ECS
service deployments". A rolling deployment reaches every stage once its new tasks are healthy; it waits at each that has a hook.
"""

import copy
import threading
import time
from datetime import datetime

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, new_uuid
from ministack.services import ecs

OPEN = ("IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
STAGES = ("PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT",
          "POST_PRODUCTION_TRAFFIC_SHIFT")
DEFAULT_TIMEOUT_MINUTES = 1440
_making = threading.Lock()  # held for records and hooks that are made, never across a call of Docker's
BREAKER = "Service deployment rolled back because of circuit breaker reached threshold."


def apply():
    ecs._ACTION_MAP |= {
        "ListServiceDeployments": list_service_deployments,
        "DescribeServiceDeployments": describe_service_deployments,
        "DescribeServiceRevisions": describe_service_revisions,
        "StopServiceDeployment": stop_service_deployment,
        "ContinueServiceDeployment": continue_service_deployment,
    }


# ── Calls ──

def list_service_deployments(data):
    service = find(data.get("cluster", "default"), data.get("service", ""))
    if not service:
        return error_response_json("ServiceNotFoundException", "Service not found.", 400)
    update(service)
    wanted = data.get("status") or []
    time_of = data.get("createdAt") or {}
    after, before = time_of.get("after", 0), time_of.get("before", float("inf"))
    records = [r for r in reversed(service["_records"])
               if (not wanted or r["status"] in wanted) and after <= seconds(r["createdAt"]) <= before]
    start, count = int(data.get("nextToken") or 0), data.get("maxResults", 20)
    more = {"nextToken": str(start + count)} if len(records) > start + count else {}
    return json_response({"serviceDeployments": [brief(r) for r in records[start:start + count]], **more})


def seconds(created):
    """A record's time as a number: the emulator keeps some as ISO 8601."""
    return created if isinstance(created, (int, float)) else datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp()


def describe_service_deployments(data):
    found = [locate(arn)[1] for arn in data.get("serviceDeploymentArns", [])]
    return json_response({"serviceDeployments": [ecs._sanitize(record) for record in found if record]})


def describe_service_revisions(data):
    found = []
    for arn in data.get("serviceRevisionArns", []):
        _, record = locate(arn.replace(":service-revision/", ":service-deployment/"))
        if record:
            found.append({"serviceRevisionArn": arn, "serviceArn": record["serviceArn"], "clusterArn": record["clusterArn"],
                          "taskDefinition": record["_taskDefinition"], "createdAt": record["createdAt"]})
    return json_response({"serviceRevisions": found})


def stop_service_deployment(data):
    arn = data.get("serviceDeploymentArn", "")
    service, record = locate(arn)
    if not record:
        return error_response_json("ServiceDeploymentNotFoundException", "The service deployment was not found.", 400)
    if record["status"] != "IN_PROGRESS":
        return error_response_json("ConflictException", f"The service deployment is {record['status']}.", 400)
    roll_back(service, record, "Service deployment stopped: StopServiceDeployment was called.")
    return json_response({"serviceDeploymentArn": arn})


def continue_service_deployment(data):
    arn = data.get("serviceDeploymentArn", "")
    service, record = locate(arn)
    if not record:
        return error_response_json("ServiceDeploymentNotFoundException", "The service deployment was not found.", 400)
    hook = waiting(record)
    if not hook or hook["hookId"] != data.get("hookId"):
        return error_response_json("InvalidParameterException", "The hook is not awaiting an action.", 400)
    settle(service, record, hook, data.get("action", "CONTINUE"), "SUCCEEDED")
    return json_response({"serviceDeploymentArn": arn})


# ── The record ──

def update(service):
    """Brings a service's record up to date with its deployments."""
    deployments = list(service.get("deployments", []))
    with _making:
        records = service.setdefault("_records", [])
        for deployment in reversed(deployments):
            if not any(record["_deployment"] == deployment["id"] for record in records):
                records.append(begin(service, deployment))
    for record in list(records):
        if record["status"] in OPEN:
            deployment = next((d for d in deployments if d["id"] == record["_deployment"]), None)
            hook = waiting(record)
            if hook and time.time() >= hook["expiresAt"]:
                settle(service, record, hook, hook["timeoutAction"], "TIMED_OUT")
            follow(service, record, deployment)


def begin(service, deployment):
    name = new_uuid().replace("-", "")[:21]
    cluster = service["clusterArn"].rsplit("/", 1)[-1]
    place = f"arn:aws:ecs:{get_region()}:{get_account_id()}:{{}}/{cluster}/{service['serviceName']}/{name}"
    return {
        "serviceDeploymentArn": place.format("service-deployment"),
        "serviceArn": service["serviceArn"], "clusterArn": service["clusterArn"],
        "createdAt": deployment["createdAt"], "startedAt": deployment["createdAt"], "updatedAt": deployment["updatedAt"],
        "targetServiceRevision": {"arn": place.format("service-revision")},
        "status": "IN_PROGRESS", "lifecycleHookDetails": [],
        "deploymentConfiguration": copy.deepcopy(service.get("deploymentConfiguration") or {}),
        "_deployment": deployment["id"], "_taskDefinition": deployment["taskDefinition"], "_passed": [],
    }


def follow(service, record, deployment):
    """The state that follows from the deployment's own."""
    primary = ecs._primary_deployment(service)
    state = deployment.get("rolloutState") if deployment else None
    if record["status"] == "IN_PROGRESS" and state == "COMPLETED":
        end(record, "SUCCESSFUL")
    elif record["status"] == "IN_PROGRESS" and state == "FAILED":
        if primary is deployment:
            end(record, "STOPPED", deployment.get("rolloutStateReason"))
        else:
            record |= {"status": "ROLLBACK_IN_PROGRESS", "statusReason": BREAKER, "rollback": {"reason": BREAKER}}
    elif record["status"] == "IN_PROGRESS" and primary is not deployment:
        end(record, "STOPPED", "Service deployment stopped because of a newer service deployment.")
    if record["status"] == "ROLLBACK_IN_PROGRESS":
        back = primary is not deployment and primary or {}
        if back.get("rolloutState") == "COMPLETED":
            end(record, "ROLLBACK_SUCCESSFUL")
        elif back.get("rolloutState") == "FAILED":
            end(record, "ROLLBACK_FAILED")


def end(record, status, reason=None):
    record |= {"status": status, "finishedAt": time.time(), "updatedAt": ecs._iso()}
    if reason:
        record["statusReason"] = reason


def roll_back(service, record, reason):
    """Goes back to the deployment before, whatever the service's own rollback setting."""
    cluster = service["clusterArn"].rsplit("/", 1)[-1]
    key = f"{cluster}/{service['serviceName']}"
    failed = next((d for d in service["deployments"] if d["id"] == record["_deployment"]), None)
    back = next((d for d in service["deployments"] if d is not failed and d.get("rolloutState") == "COMPLETED"), None)
    if failed:
        failed |= {"rolloutState": "FAILED", "rolloutStateReason": reason, "desiredCount": 0, "updatedAt": ecs._iso()}
    record |= {"statusReason": reason, "rollback": {"reason": reason}, "updatedAt": ecs._iso()}
    if not back:
        return end(record, "ROLLBACK_FAILED")
    failed["status"] = "ACTIVE"
    back |= {"status": "PRIMARY", "desiredCount": service.get("desiredCount", 0), "rolloutState": "IN_PROGRESS",
             "rolloutStateReason": "ECS deployment rollback in progress.", "updatedAt": ecs._iso()}
    service["taskDefinition"] = back["taskDefinition"]
    record["status"] = "ROLLBACK_IN_PROGRESS"
    ecs._reconcile_service_tasks(cluster, key)
    ecs._schedule_service_deployment_completion(cluster, key, get_account_id(), get_region())
    return None


# ── PAUSE hooks ──

def pauses(service):
    """Whether the service's deployment, whose new tasks are healthy, waits for somebody at a stage."""
    primary = ecs._primary_deployment(service)
    if not primary or primary.get("rolloutState") != "IN_PROGRESS":
        return False
    update(service)
    record = next((r for r in service["_records"] if r["_deployment"] == primary["id"]), None)
    if not record or record["status"] != "IN_PROGRESS":
        return False
    hooks = record["deploymentConfiguration"].get("lifecycleHooks") or []
    with _making:
        if waiting(record):
            return True
        for stage in STAGES:
            hook = next((h for h in hooks if h.get("targetType") == "PAUSE" and stage in h.get("lifecycleStages", [])), None)
            if hook and stage not in record["_passed"] and stable(service, primary):
                wait(record, stage, hook.get("timeoutConfiguration") or {})
                return True
    return False


def wait(record, stage, timeout):
    record["lifecycleStage"] = stage
    record["lifecycleHookDetails"].append({
        "hookId": f"ecs-pause-{new_uuid().replace('-', '')}", "targetType": "PAUSE", "status": "AWAITING_ACTION",
        "expiresAt": time.time() + 60 * timeout.get("timeoutInMinutes", DEFAULT_TIMEOUT_MINUTES),
        "timeoutAction": timeout.get("action", "ROLLBACK"),
    })


def stable(service, deployment):
    """Whether all tasks of the deployment run and are past their start."""
    running = [t for t in ecs._tasks.values()
               if t.get("group") == f"service:{service['serviceName']}" and t.get("clusterArn") == service["clusterArn"]
               and t.get("_deployment_id") == deployment["id"] and t.get("lastStatus") == "RUNNING"
               and t.get("_startup_stable")]
    return len(running) >= service.get("desiredCount", 0)


def waiting(record):
    """The hook that the deployment waits at."""
    return next((hook for hook in record["lifecycleHookDetails"] if hook["status"] == "AWAITING_ACTION"), None)


def settle(service, record, hook, action, status):
    hook["status"] = status
    if action == "ROLLBACK":
        return roll_back(service, record, f"Service deployment rolled back at {record['lifecycleStage']}: hook {hook['hookId']}.")
    record["_passed"].append(record["lifecycleStage"])
    cluster = service["clusterArn"].rsplit("/", 1)[-1]
    ecs._complete_service_deployment(cluster, f"{cluster}/{service['serviceName']}")
    return None


# ── Helpers ──

def find(cluster, name):
    cluster, name = cluster.rsplit("/", 1)[-1], name.rsplit("/", 1)[-1]
    return ecs._services.get(f"{cluster}/{name}")


def locate(arn):
    """A service and its record of that ARN, up to date; twice None if there is none."""
    _, _, place = arn.partition(":service-deployment/")
    cluster, _, rest = place.partition("/")
    service = find(cluster, rest.partition("/")[0])
    if service:
        update(service)
        for record in service["_records"]:
            if record["serviceDeploymentArn"] == arn:
                return service, record
    return None, None


def brief(record):
    names = ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt", "status",
             "statusReason")
    shown = {name: record[name] for name in names if record.get(name) is not None}
    return shown | {"targetServiceRevisionArn": record["targetServiceRevision"]["arn"]}
