"""Runs the AWS emulator (ministack) for one checkout.

The emulator serves the AWS APIs and a container registry on GATEWAY_PORT and runs ECS tasks as Docker containers.
What is added here: the load balancer answers on its own port (FRONT_PORT), so that the service has an address
that can be opened; the patches beside this file restore AWS behaviour that a release depends on; state is
written while it runs, so that a killed emulator loses at most the last seconds.
"""

import asyncio
import logging
import os
import sys
import threading
import time

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hypercorn.asyncio import serve  # noqa: E402
from hypercorn.config import Config  # noqa: E402
from ministack import app as ministack  # noqa: E402
from ministack.core import persistence  # noqa: E402

from patches import access, ecr, ecs, identity, load_balancer, quotas, service_deployments  # noqa: E402

SAVE_SECONDS = 1.0
SETTLE_SECONDS = 60.0
SETTLING_SAVE_SECONDS = 5.0

_last_change = 0.0


async def gateway(scope, receive, send):
    """Sends requests on the load balancer's port to the load balancer, and notes when something may have changed."""
    global _last_change
    if scope["type"] != "lifespan" and (refused := access.refusal(scope)):
        return await access.refuse(*refused, scope, send)
    if quotas.is_asked(scope):
        return await quotas.answer(receive, send)
    if scope["type"] == "http":
        if str((scope.get("server") or ("", ""))[1]) == os.environ["FRONT_PORT"]:
            scope = load_balancer.addressed(scope)
        elif scope["method"] != "GET":
            _last_change = time.monotonic()
    await ministack.app(scope, receive, send)


def save_while_running():
    """Saves the state soon after a call. ECS keeps changing for a while, so this keeps saving, less often."""
    saved = 0.0
    while True:
        time.sleep(SAVE_SECONDS)
        now = time.monotonic()
        settling = now - _last_change < SETTLE_SECONDS and now - saved > SETTLING_SAVE_SECONDS
        if _last_change > saved or settling:
            saved = now
            persistence.save_all(ministack._build_persistence_save_dict())


def main():
    for part in (identity, ecr, ecs, service_deployments, load_balancer):
        part.apply()
    logging.getLogger("persistence").setLevel(logging.WARNING)
    threading.Thread(target=save_while_running, daemon=True, name="save").start()
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['GATEWAY_PORT']}", f"127.0.0.1:{os.environ['FRONT_PORT']}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    asyncio.run(serve(gateway, config))


if __name__ == "__main__":
    main()
