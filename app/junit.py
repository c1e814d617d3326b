"""Runs the tests beside it and writes their outcome as JUnit XML, the format that CI systems read."""

import sys
import time
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path


class Result(unittest.TextTestResult):
    """A text result that keeps each test's outcome and time."""

    def __init__(self, *args):
        super().__init__(*args)
        self.cases = []

    def startTest(self, test):
        self.started = time.perf_counter()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        outcome = next(
            ((kind, text) for kind, found in self.outcomes() for case, text in found if case is test), None
        )
        self.cases.append((test, time.perf_counter() - self.started, outcome))

    def outcomes(self):
        return ("failure", self.failures), ("error", self.errors), ("skipped", self.skipped)


def report(result):
    """The result as a `testsuite` element."""
    suite = ET.Element("testsuite", name="app", tests=str(result.testsRun))
    for kind, found in result.outcomes():
        suite.set({"failure": "failures", "error": "errors"}.get(kind, kind), str(len(found)))
    for test, seconds, outcome in result.cases:
        attributes = {"classname": type(test).__qualname__, "name": test.id().rsplit(".", 1)[-1], "time": f"{seconds:.3f}"}
        case = ET.SubElement(suite, "testcase", attributes)
        if outcome:
            kind, text = outcome
            element = ET.SubElement(case, kind, message=text.strip().rsplit("\n", 1)[-1])
            element.text = text
    # What broke outside a test, such as a module that cannot be imported, gets its own case.
    for kind, found in result.outcomes():
        for test, text in found:
            if not any(test is case for case, _, _ in result.cases):
                case = ET.SubElement(suite, "testcase", classname="app", name=str(test), time="0")
                ET.SubElement(case, kind, message=text.strip().rsplit("\n", 1)[-1]).text = text
    return suite


def main(folder):
    tests = unittest.defaultTestLoader.discover(str(Path(__file__).parent))
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(tests)
    ET.ElementTree(report(result)).write(Path(folder) / "junit.xml", encoding="utf-8", xml_declaration=True)
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main(sys.argv[1])
