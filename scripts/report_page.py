"""One self-contained HTML page: its parts, its figures, its style (report.css)."""

import base64
import html
import io
import os
import pathlib

CSS_PIXELS_PER_INCH = 112  # so that the letters of a figure are as large as those around it


class Page:
    """Collects the parts and writes the figures."""

    def __init__(self, out):
        self.out = out
        self.parts = []

    def add(self, *parts):
        self.parts += parts

    def paragraph(self, kind, text):
        self.add(f"<p class={kind}>{html.escape(text)}</p>")

    def heading(self, text):
        self.add(f"<h2>{html.escape(text)}</h2>")

    def figure(self, name, figure, alt, caption):
        """`alt`: what the figure shows, for readers who cannot see it."""
        if figure is None:
            return
        import matplotlib.pyplot as plt

        raw = io.BytesIO()
        figure.savefig(raw, format="png")
        width = round(figure.get_figwidth() * CSS_PIXELS_PER_INCH)
        plt.close(figure)
        folder = self.out.parent / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(raw.getvalue())
        data = base64.b64encode(raw.getvalue()).decode()
        self.add(
            f'<figure><img style="width:{width}px" src="data:image/png;base64,{data}" '
            f'alt="{html.escape(alt, quote=True)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        )

    def words(self, pairs):
        lines = [f"<div><dt>{html.escape(word)}</dt><dd>{html.escape(text)}</dd></div>" for word, text in pairs]
        self.add(f"<dl class=words>{''.join(lines)}</dl>")

    def settings(self, title, text):
        self.add(f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>")

    def write(self, title):
        self.out.parent.mkdir(parents=True, exist_ok=True)
        style = pathlib.Path(__file__).with_name("report.css").read_text(encoding="utf-8")
        text = (
            f"<!doctype html><html lang=en><meta charset=utf-8>"
            f"<meta name=viewport content='width=device-width,initial-scale=1'>"
            f"<title>{html.escape(title)}</title><style>{style}</style><body>{''.join(self.parts)}</body></html>\n"
        )
        temporary = self.out.with_name(f"{self.out.name}.tmp.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self.out)
