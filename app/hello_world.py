"""The sample service: greets, serves the greeting over HTTP, and reports its version."""

import argparse
import html
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = "Hello from CI/CD!"
VERSION = os.environ.get("APP_VERSION", "0.0.0")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{greeting}</title>
<style>
  body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; text-align: center;
         font-family: system-ui, sans-serif; color: #f4f7fb;
         background: linear-gradient(135deg, #12263f, #1f6f8b); }}
  h1 {{ font-size: clamp(2rem, 8vw, 4.5rem); margin: 0 0 1rem; }}
  p {{ font-size: 1.25rem; margin: 0; opacity: .85; }}
  code {{ font-size: 1.1em; background: #0003; border-radius: .4em; padding: .1em .5em; }}
</style>
<h1>{greeting}</h1>
<p>version <code>{version}</code></p>
</html>
"""


class Handler(BaseHTTPRequestHandler):
    """Answers `/` (a page), `/version` (JSON) and `/healthz`; anything else is 404."""

    server_version = "hello"
    sys_version = ""
    timeout = 5  # seconds that a client has to send its request

    def do_GET(self):
        path = self.path.split("?", 1)[0]
        if path == "/":
            page = PAGE.format(greeting=html.escape(GREETING), version=html.escape(VERSION))
            self.answer(200, "text/html; charset=utf-8", page)
        elif path == "/version":
            self.answer(200, "application/json", json.dumps({"version": VERSION}) + "\n")
        elif path == "/healthz":
            self.answer(200, "text/plain; charset=utf-8", "ok\n")
        else:
            self.answer(404, "text/plain; charset=utf-8", "not found\n")

    do_HEAD = do_GET

    def answer(self, status, content_type, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        print(f"{self.address_string()} {format % args}", flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for the requests under way
    request_queue_size = 128


def serve(host, port):
    """Serves until SIGTERM or SIGINT, then finishes the requests under way and returns."""
    server = Server((host, port), Handler)

    def stop(signum, frame):
        threading.Thread(target=server.shutdown).start()  # shutdown() waits for the loop that this thread runs

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"{GREETING} version {VERSION} on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print("stopped", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--serve", action="store_true", help="serve over HTTP")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.serve:
        serve(arguments.host, arguments.port)
    else:
        print(GREETING)


if __name__ == "__main__":
    main()
