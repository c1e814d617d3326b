import json
import unittest

from web import answer


class Answers(unittest.TestCase):
    def test_version(self):
        self.assertEqual(json.loads(answer("/version", "1.2.3"))["version"], "1.2.3")


if __name__ == "__main__":
    unittest.main()
