"""Every path of this repository that the documents name is there."""
import pathlib
import re
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [SOURCE / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md")]
DOCUMENTS += sorted((SOURCE / "docs").glob("*.md")) + sorted((SOURCE / "scripts").rglob("*.md"))
TOP = "base|data|dist|model|eval|train|tests|scripts|cmake|docs"
# Folders that users make: of shards, of a checkpoint, of the quickstart's results.
OF_USERS = re.compile(r"data/(train|validation|test)\b|model/?$")


def named_paths(text):
    for path in re.findall(rf"(?<![\w/.-])((?:{TOP})/[\w./-]*[\w/])", text):
        if not OF_USERS.match(path):
            yield path


class Documents(unittest.TestCase):
    def test_the_paths_they_name_are_there(self):
        for document in DOCUMENTS:
            paths = list(named_paths(document.read_text(encoding="utf-8")))
            missing = [path for path in paths if not (SOURCE / path).exists()]
            self.assertEqual([], missing, document)

    def test_their_links_lead_somewhere(self):
        for document in DOCUMENTS:
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
                if "://" not in link:
                    self.assertTrue((document.parent / link).exists(), f"{document}: {link}")


if __name__ == "__main__":
    unittest.main()
