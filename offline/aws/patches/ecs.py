"""ECS: how a deployment is followed - its tasks, its state, the service's events."""

import functools
import os
import time

from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import ecs

from . import health, service_deployments

FAILED_STAYS_SECONDS = 20.0


def apply():
    # How long a new task must run before it counts.
    ecs._ECS_DEPLOYMENT_STEADY_DELAY = float(os.environ.get("STEADY_SECONDS", "1"))
    # Inner calls use the module's names, outer ones the table of actions: StopTask from outside stays as it is.
    for inner, replacement in {
        "_run_task": run_task,
        "_run_docker_container": run_container,
        "_stop_task": stop_task,
        "_mark_task_stopped": mark_task_stopped,
        "_complete_service_deployment": complete_deployment,
        "_record_service_task_healthy": record_healthy,
        "_task_ip": task_ip,
        "_maybe_mark_stopped": mark_if_stopped,
        "_build_run_kwargs": container_arguments,
    }.items():
        setattr(ecs, inner, functools.partial(replacement, getattr(ecs, inner)))
    for action, replacement in {
        "CreateService": create_service,
        "UpdateService": update_service,
        "DescribeServices": describe_services,
        "DescribeTaskDefinition": describe_task_definition,
    }.items():
        ecs._ACTION_MAP[action] = functools.partial(replacement, ecs._ACTION_MAP[action])


# ── Requests ──

def refusal(data):
    """CreateService, UpdateService: an unknown or deregistered task definition is a ClientException."""
    if data.get("taskDefinition") is None:
        return None
    definition = ecs._task_defs.get(ecs._resolve_td_key(data["taskDefinition"]))
    if not definition:
        return error_response_json("ClientException", "TaskDefinition not found.", 400)
    if definition.get("status") != "ACTIVE":
        return error_response_json("ClientException", "TaskDefinition is inactive", 400)
    return None


def create_service(original, data):
    return refusal(data) or original(data)


def update_service(original, data):
    """UpdateService: refuses a service that isn't ACTIVE. Nothing drains yet, so no event says so."""
    service = service_deployments.find(data.get("cluster", "default"), data.get("service", ""))
    if service and service.get("status") != "ACTIVE":
        return error_response_json("ServiceNotActiveException", "Service was not ACTIVE.", 400)
    if service:
        service_deployments.update(service)
    answer = refusal(data) or original(data)
    if service:
        service_deployments.update(service)
        service["events"] = [e for e in service["events"] if not e["message"].endswith("connections on 1 tasks.")]
    return answer


def describe_services(original, data):
    """DescribeServices: a failed deployment goes away a while after the rollback; reasons and events in AWS's words."""
    for name in data.get("services", []):
        service = service_deployments.find(data.get("cluster", "default"), name)
        if service:
            tell_completion(service)
            forget_failed(service)
            reword(service)
    return original(data)


def describe_task_definition(original, data):
    """DescribeTaskDefinition: what isn't set is left out. The emulator returns null or "" for some of it."""
    answer = original(data)
    definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))
    if answer[0] != 200 or not definition:
        return answer
    present = {name: value for name, value in definition.items() if value not in (None, "")}
    return json_response({"taskDefinition": present, "tags": ecs._tags.get(definition["taskDefinitionArn"], [])})


# ── Tasks ──

def run_task(original, data):
    """A service's task is started by its deployment, and the service's events say so."""
    group = data.get("group", "")
    if not group.startswith("service:"):
        return original(data)
    known = set(ecs._tasks.keys())
    answer = original({**data, "startedBy": data.get("_deploymentId") or data.get("startedBy", "")})
    started = [arn.rsplit("/", 1)[-1] for arn in ecs._tasks.keys()
               if arn not in known and ecs._tasks[arn].get("group") == group]
    service = service_deployments.find(data.get("cluster", "default"), group.split(":", 1)[1])
    if service and started:
        names = " ".join(f"(task {name})" for name in started)
        tell(service, f"has started {len(started)} tasks: {names}.")
    return answer


def run_container(original, docker_client, container, run_kwargs, **named):
    """Every task pulls its image with its execution role, even if RunTask starts it (Amazon ECS task lifecycle)."""
    if named.get("auth_config") is None:
        named |= {"refresh_image": True, "auth_config": ecs._resolve_repository_credentials(container)}
    return original(docker_client, container, run_kwargs, **named)


def container_arguments(original, definition, *rest, **named):
    """A task definition's entry point replaces the image's, and the image's command with it."""
    arguments = original(definition, *rest, **named)
    if definition.get("entryPoint"):
        arguments["entrypoint"] = definition["entryPoint"]
    return arguments


def stop_task(original, data):
    """If the scheduler stops a task, the task names the deployment that caused it."""
    answer = original(data)
    task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
    if task and task.get("stopCode") == "UserInitiated" and task.get("group", "").startswith("service:"):
        service = service_deployments.find(task["clusterArn"], task["group"].split(":", 1)[1])
        primary = ecs._primary_deployment(service) if service else None
        task["stopCode"] = "ServiceSchedulerInitiated"
        task["stoppedReason"] = f"Scaling activity initiated by (deployment {primary['id'] if primary else 'none'})"
        if service:
            tell(service, f"has stopped 1 running tasks: (task {task['taskArn'].rsplit('/', 1)[-1]}).")
    return answer


def mark_task_stopped(original, arn, task, reason, *rest, **named):
    reason = "Essential container in task exited" if reason == "Essential container exited" else reason
    return original(arn, task, reason, *rest, **named)


def task_ip(original, task):
    """The load balancer sends nothing to a task until it is healthy."""
    return original(task) if task.get("_startup_stable") else None


_ended = {}
"""By the id of each container that is waited for: whether Docker has reported its end."""


def mark_if_stopped(original, task, docker_client=None):
    """The emulator asks Docker for every task's containers ten times a second. Here Docker reports when one has ended."""
    if docker_client is None:
        return original(task)

    def wait(container):
        try:
            docker_client.containers.get(container).wait()
        finally:
            _ended[container] = True  # or it can't be waited for: then it is asked for again and again

    containers = task.get("_docker_ids") or []
    for container in containers:
        if container not in _ended:
            _ended[container] = False
            spawn_background(wait, container, thread_name=f"wait-{container[:8]}")
    if any(_ended[container] for container in containers):
        original(task, docker_client)


def record_healthy(original, service_key, task):
    """A task behind a load balancer is healthy when its target group's health check says so, else it is replaced."""
    service = ecs._services.get(service_key)
    sick = health.failure(service, task) if service else None
    if not sick:
        return original(service_key, task)
    target_group, port, why = sick
    if ecs._task_is_active(task["taskArn"], task):
        tell(service, f"(port {port}) is unhealthy in (target-group {target_group}) due to (reason {why}).")
        ecs._mark_task_stopped(task["taskArn"], task, f"Task failed ELB health checks in (target-group {target_group})",
                               "ServiceSchedulerInitiated")
        ecs._cleanup_task_resources(task, ecs._get_docker())
        ecs._record_service_task_failure(task)


# ── Deployments ──

def complete_deployment(original, cluster, service_key, expected_deployment_id=None):
    """A completed deployment shows in the service's events, as does the steady state."""
    service = ecs._services.get(service_key)
    if service and service_deployments.pauses(service):
        return
    original(cluster, service_key, expected_deployment_id)
    if service:
        service_deployments.update(service)
        tell_completion(service)


def tell_completion(service):
    """Once per completion. If a reader sees the new state before the old tasks are stopped, it already gets the events."""
    primary = ecs._primary_deployment(service)
    if primary and primary.get("rolloutState") == "COMPLETED" and primary.get("_told") != primary["updatedAt"]:
        primary["_told"] = primary["updatedAt"]
        tell(service, f"(deployment {primary['id']}) deployment completed.")
        tell(service, "has reached a steady state.")


def forget_failed(service):
    """Drops a FAILED deployment that has no tasks left, a while after the service is steady again."""
    primary = ecs._primary_deployment(service)
    if not primary or primary.get("rolloutState") != "COMPLETED":
        return
    now = time.time()
    for deployment in service["deployments"]:
        if deployment.get("rolloutState") == "FAILED":
            deployment.setdefault("_forget_at", now + FAILED_STAYS_SECONDS)
    service["deployments"] = [
        d for d in service["deployments"]
        if d is primary or d.get("rolloutState") != "FAILED" or d.get("runningCount") or d["_forget_at"] > now
    ]


def reword(service):
    """Reasons and events as AWS words them: they name the deployment."""
    primary = ecs._primary_deployment(service)
    failed = next((d for d in service["deployments"] if d.get("rolloutState") == "FAILED"), None)
    for deployment in service["deployments"]:
        reason, name = deployment.get("rolloutStateReason", ""), deployment["id"]
        if reason == "ECS deployment completed.":
            deployment["rolloutStateReason"] = f"ECS deployment {name} completed."
        elif reason == "" and deployment.get("rolloutState") == "IN_PROGRESS":
            deployment["rolloutStateReason"] = f"ECS deployment {name} in progress."
        elif reason.startswith("ECS deployment circuit breaker was triggered"):
            deployment["rolloutStateReason"] = "ECS deployment circuit breaker: tasks failed to start."
        elif reason == "ECS deployment rollback in progress.":
            deployment["rolloutStateReason"] = f"ECS deployment circuit breaker: rolling back to deploymentId {name}."
    for event in service["events"]:
        if failed and event["message"].endswith("deployment failed: deployment circuit breaker was triggered."):
            event["message"] = (f"(service {service['serviceName']}) (deployment {failed['id']}) deployment failed: "
                                "tasks failed to start.")
        if primary and event["message"].endswith("rolled back to the last completed deployment."):
            event["message"] = f"(service {service['serviceName']}) rolling back to deployment {primary['id']}."


# ── Helpers ──

def tell(service, message):
    """Adds an event, newest first as in DescribeServices, and keeps as many as AWS does: 100."""
    event = {"id": new_uuid(), "createdAt": ecs._iso(), "message": f"(service {service['serviceName']}) {message}"}
    service["events"] = [event, *service["events"]][:100]
