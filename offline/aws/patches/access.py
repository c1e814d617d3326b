"""Who may call which endpoint: the emulator has some that AWS lacks, and a browser on this machine can reach its port."""

import ipaddress
import os

HEALTH = "/_ministack/health"
# Names that no public name server resolves, so that no stranger's web page can use one: besides this machine's own
# names, a real engine's for services and Docker's for its host.
PRIVATE = ("localhost", "dagger.local", "docker.internal")


def refusal(scope):
    """None if a request is served, else (status, reason).

    Names without a dot are served too: a container knows the emulator by such an alias. What is refused is every name
    that a stranger's web page may have: pages are kept from reading other hosts' answers, but not from letting their own
    name lead to 127.0.0.1 (DNS rebinding).
    """
    fields = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = fields.get(b"host", ""), fields.get(b"origin")
    port = str(scope["server"][1])
    if not is_local(host, port):
        return 403, f"The Host {host!r} is not allowed: use 127.0.0.1:{port}."
    if port == os.environ["FRONT_PORT"]:
        return None  # the application decides what other sites may ask of it
    if origin is not None and origin != f"http://{host}":
        return 403, f"A page from {origin} may not use the emulator."
    if scope["path"].startswith("/_") and scope["path"] != HEALTH:
        return 404, f"{scope['path']} does not exist: AWS has no such path."
    return None


def is_local(host, port):
    """True for an address or name of this machine, or one that a container knows it by, with the right port."""
    name, _, given = host.rpartition(":")
    if given != port:
        return False
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        name = name.lower().rstrip(".")
        return name != "" and ("." not in name or name.endswith(tuple(f".{domain}" for domain in PRIVATE)))


async def refuse(status, reason, scope, send):
    """Sends the refusal."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = f"{reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
