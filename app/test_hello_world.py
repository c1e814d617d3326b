"""Tests of the sample service: the program as it is run, over a real socket."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = [sys.executable, str(Path(__file__).with_name("hello_world.py"))]
ENVIRONMENT = {**os.environ, "APP_VERSION": "1.2.3"}


def run(*arguments):
    return subprocess.run([*PROGRAM, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=10)


class CommandLine(unittest.TestCase):
    def test_greets(self):
        self.assertEqual(run().stdout, "Hello from CI/CD!\n")

    def test_tells_its_version(self):
        self.assertEqual(run("--version").stdout, "1.2.3\n")

    def test_refuses_what_it_does_not_know(self):
        self.assertEqual(run("--nope").returncode, 2)


class Service(unittest.TestCase):
    def setUp(self):
        command = [*PROGRAM, "--serve", "--host", "127.0.0.1", "--port", "0"]
        self.process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        port = re.search(r"port (\d+)", self.process.stdout.readline())[1]
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            return answer.headers.get_content_type(), answer.read().decode()

    def test_page_shows_greeting_and_version(self):
        content_type, page = self.get("/")
        self.assertEqual(content_type, "text/html")
        self.assertIn("Hello from CI/CD!", page)
        self.assertIn("1.2.3", page)

    def test_version_is_json(self):
        content_type, text = self.get("/version?verbose")
        self.assertEqual((content_type, json.loads(text)), ("application/json", {"version": "1.2.3"}))

    def test_is_healthy(self):
        self.assertEqual(self.get("/healthz"), ("text/plain", "ok\n"))

    def test_anything_else_is_not_found(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get("/nope")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()

    def test_stops_cleanly_on_sigterm(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(timeout=5), 0)

    def test_answers_many_at_once(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.get("/healthz"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), 20)

    def test_an_idle_connection_does_not_keep_it_from_stopping(self):
        with socket.create_connection(("127.0.0.1", int(self.url.rsplit(":", 1)[1]))):
            self.get("/healthz")  # by now the idle connection has been accepted
            self.process.send_signal(signal.SIGINT)
            self.assertEqual(self.process.wait(timeout=10), 0)


if __name__ == "__main__":
    unittest.main()
