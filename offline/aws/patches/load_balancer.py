"""Gives the load balancer an address that can be opened, and after a restart only targets that are running."""

import os

from ministack.services import alb
from ministack.services.cloudformation import provisioners


def apply():
    # The last run's targets mean nothing now: another container may have their address.
    # ECS registers the service's tasks again as they start.
    load = alb.load_persisted_state
    alb.load_persisted_state = lambda data: load({**data, "_targets": {}})
    # On AWS the DNSName leads to the load balancer. Here it is the front port, whatever the load balancer's name.
    address = {"DNSName": f"localhost:{os.environ['FRONT_PORT']}"}
    original = alb._lb_xml
    alb._lb_xml = lambda lb: original({**lb, **address})
    kind = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::LoadBalancer"]
    create = kind["create"]

    def create_addressed(*args, **named):
        physical, attributes = create(*args, **named)
        return physical, {**attributes, **address}

    kind["create"] = create_addressed


def addressed(scope):
    """The request, addressed to the first load balancer as the emulator wants it."""
    names = [lb["LoadBalancerName"] for _, lb in alb._lbs._data.items()]
    prefix = f"/_alb/{names[0]}" if names else "/_alb/none"
    raw = prefix.encode() + (scope.get("raw_path") or scope["path"].encode())
    return {**scope, "path": prefix + scope["path"], "raw_path": raw}
