"""Service Quotas, which the emulator lacks: GetServiceQuota, with the default that AWS documents for Fargate's vCPUs."""

import json

TARGET = b"ServiceQuotasV20190624.GetServiceQuota"
FARGATE_VCPUS = {"L-3032A538": 6.0, "L-36FBB829": 6.0}


def is_asked(scope):
    return scope["type"] == "http" and dict(scope["headers"]).get(b"x-amz-target") == TARGET


async def answer(receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    code = json.loads(body or b"{}").get("QuotaCode", "")
    if code in FARGATE_VCPUS:
        status, answer = 200, {"Quota": {"ServiceCode": "fargate", "QuotaCode": code, "Value": FARGATE_VCPUS[code]}}
    else:
        status, answer = 400, {"__type": "NoSuchResourceException", "message": f"There is no quota {code} here."}
    headers = [(b"content-type", b"application/x-amz-json-1.1")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
