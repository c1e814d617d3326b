"""A target group's health check, run against a task that has just started."""

import http.client
import os
import time

from ministack.services import alb, ecs

ADDRESS = ecs._task_ip


def failure(service, task):
    """(target group, port, reason) when a check still fails at the deadline; None when the task is healthy.

    The emulator's target groups report every target as healthy. On AWS a task gets no traffic before its target group's
    health check succeeds, and a deployment whose tasks never get there doesn't complete: they are replaced and counted.
    """
    patience = float(os.environ.get("HEALTH_SECONDS", "5"))
    for attached in service.get("loadBalancers") or []:
        group = alb._tgs.get(attached.get("targetGroupArn"))
        if not group:
            continue
        port = attached.get("containerPort", 80)
        deadline, pause = time.monotonic() + patience, 0.1
        while (why := check(ADDRESS(task), port, group)) is not None:
            if not ecs._task_is_active(task["taskArn"], task):
                return None
            if time.monotonic() > deadline:
                return group["TargetGroupArn"], port, why
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
    return None


def check(address, port, group):
    """None when the target answers as its group wants it to; else the reason in AWS's words."""
    wanted = str((group.get("Matcher") or {}).get("HttpCode", "200"))
    connection = http.client.HTTPConnection(address or "127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", group.get("HealthCheckPath") or "/", headers={"User-Agent": "ELB-HealthChecker/2.0"})
        code = connection.getresponse().status
    except OSError:
        return "Request timed out"
    except http.client.HTTPException:
        return "Health checks failed"
    finally:
        connection.close()
    return None if accepts(wanted, code) else f"Health checks failed with these codes: [{code}]"


def accepts(wanted, code):
    """Whether a matcher such as "200", "200,202" or "200-299" accepts the code."""
    for part in wanted.split(","):
        low, _, high = part.partition("-")
        if int(low) <= code <= int(high or low):
            return True
    return False
