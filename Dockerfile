# How the app is built and tested: the same on a laptop, in CodeBuild and offline.
# Another mirror, or an air gap: --build-args PYTHON_IMAGE=registry.example.com/python:3.11-slim-bookworm
ARG PYTHON_IMAGE=public.ecr.aws/docker/library/python:3.11.17-slim-bookworm@sha256:0a310eeecf4e1f5a0743f9a6520c90c88d089c903ca5fd283f501e3a805f5f89

FROM ${PYTHON_IMAGE} AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY app/hello_world.py ./

# Runs the tests and keeps their output, even if they fail: `dagger call test-report` returns it.
FROM base AS report
COPY app/junit.py app/test_*.py ./
RUN mkdir /reports && { python3 junit.py /reports > /reports/output.txt 2>&1 || touch /reports/failed; }

# Fails if the tests failed, and shows their output.
FROM report AS test
RUN cat /reports/output.txt && test ! -e /reports/failed

FROM base AS runtime
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python3", "hello_world.py"]
CMD ["--serve"]
# Last, so that a new version leaves every layer before it cached.
ARG VERSION=0.0.0
ENV APP_VERSION=${VERSION}
