#!/usr/bin/env python3
"""scripts/report.py in a browser: nothing is cut off at 1200 and 900 pixels and on paper. Skipped without Chromium."""

import html
import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from report_records import CSC, strategies, write_run

REPORT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "report.py"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
A4_WITHOUT_MARGINS = 687  # CSS pixels: 210 mm less twice 14 mm, at 96 pixels an inch

# Leaves its findings as an attribute, which --dump-dom prints.
MEASURE = """<script>
addEventListener("load", () => {
  const root = document.documentElement;
  const name = element => element.tagName + " " + element.textContent.slice(0, 40);
  const cut = [...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > root.clientWidth + 0.5 || box.left < -0.5);
  });
  const scrolled = [...document.querySelectorAll(".scroll, .bar, pre, td, th")].filter(
    element => element.scrollWidth > element.clientWidth + 1);
  root.setAttribute("data-measured", JSON.stringify({
    scroll: root.scrollWidth, client: root.clientWidth, cut: cut.map(name), scrolled: scrolled.map(name),
    cells: document.querySelectorAll("td").length,
    images: [...document.images].filter(image => image.complete && image.naturalWidth > 0).length}));
});
</script>"""


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name)
        run = write_run(cls.root / "run", mixture=400)
        document = strategies()
        for row in document["comparisons"]:  # numbers as wide as they come
            row |= {"only_a": 12345, "only_b": 12345, "p": 0.052, "p_holm": 0.052, "cost_ratio": 1234.5}
        (cls.root / "csc.json").write_text(json.dumps(CSC))
        (cls.root / "strategies.json").write_text(json.dumps(document))
        subprocess.run(
            [sys.executable, REPORT, "--run", run, "--csc", cls.root / "csc.json"]
            + ["--strategies", cls.root / "strategies.json", "--out", cls.root / "report.html"],
            check=True,
            capture_output=True,
        )
        cls.page = (cls.root / "report.html").read_text()

    def measure(self, page, width):
        copy = self.root / "measured.html"
        copy.write_text(page.replace("</body>", MEASURE + "</body>").replace("<details>", "<details open>"))
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.root / 'profile'}"]
            + [f"--window-size={width},1000", "--dump-dom", copy.as_uri()],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        found = re.search(r'data-measured="([^"]*)"', done.stdout)
        self.assertIsNotNone(found, done.stderr)
        return json.loads(html.unescape(found[1]))

    def check(self, page, width):
        found = self.measure(page, width)
        self.assertLessEqual(abs(found["client"] - width), 20)  # a scroll bar at most
        self.assertLessEqual(found["scroll"], found["client"])
        self.assertEqual(found["cut"], [])
        self.assertEqual(found["scrolled"], [])
        self.assertEqual(found["images"], 4)
        self.assertGreater(found["cells"], 200)

    def test_nothing_is_cut_off_at_1200_pixels(self):
        self.check(self.page, 1200)

    def test_nothing_is_cut_off_at_900_pixels(self):
        self.check(self.page, 900)

    def test_nothing_is_cut_off_on_paper(self):
        self.assertIn("@media print{", self.page)
        self.check(self.page.replace("@media print{", "@media all{"), A4_WITHOUT_MARGINS)

    def test_a_wide_table_is_found(self):
        wide = self.page.replace("<td>", "<td style='min-width:9em'>")
        self.assertNotEqual(self.measure(wide, 900)["scrolled"], [])


if __name__ == "__main__":
    if BROWSER is None:
        print("skipped: no Chromium on PATH (apt-get install chromium)")
        sys.exit(77)
    if importlib.util.find_spec("matplotlib") is None:
        print("skipped: matplotlib is not installed (pip install -r scripts/requirements.txt)")
        sys.exit(77)
    unittest.main()
