"""The sample service: says its version, and that it is well."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h11


def answer(path, version):
    """The text for a path, or None."""
    if path == "/version":
        return json.dumps({"version": version, "h11": h11.__version__}) + "\n"
    return "ok\n" if path == "/healthz" else None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = answer(self.path, os.environ.get("APP_VERSION"))
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
