"""Manual pages and HTML -> paragraphs -> clean Chinese sentences. Used by corpus.py."""

import gzip
import re
from html.parser import HTMLParser

# --- extraction: bytes of a document -> paragraphs, each one line of text ---

_BLOCK = set(
    """address article aside blockquote body br caption center dd div dl dt fieldset figcaption figure footer
form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p section select table tbody td tfoot th thead title tr ul""".split()
)
_SKIPPED = {"script", "style", "pre", "head", "nav", "noscript", "textarea", "header", "footer", "aside"}


class _Html(HTMLParser):
    """Text of an (X)HTML page with a line feed at each block boundary."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.pieces = []
        self.skipping = []

    def handle_starttag(self, tag, attrs):
        if tag in _SKIPPED:
            self.skipping.append(tag)
        elif tag in _BLOCK:
            self.pieces.append("\0")

    def handle_startendtag(self, tag, attrs):
        if tag in _BLOCK:
            self.pieces.append("\0")

    def handle_endtag(self, tag):
        if tag in self.skipping:
            while self.skipping.pop() != tag:
                pass
        elif tag in _BLOCK:
            self.pieces.append("\0")

    def handle_data(self, data):
        if not self.skipping:
            self.pieces.append(data)


def html_paragraphs(text):
    parser = _Html()
    parser.feed(text)
    parser.close()
    return [join_lines(part.split("\n")) for part in "".join(parser.pieces).split("\0")]


_ROFF_CHARACTERS = {
    "lq": "“",
    "rq": "”",
    "aq": "'",
    "em": "—",
    "en": "–",
    "hy": "-",
    "ul": "_",
    "bv": "|",
    "co": "©",
    "de": "°",
    "rs": "\\",
    "dq": '"',
    "bu": "\0",
}
_ROFF_STRINGS = {"lq": "“", "rq": "”", 'L"': "“", 'R"': "”", "--": "—"}
_ROFF_ESCAPE = re.compile(
    r"""\\(?:f(?:\[[^\]]*\]|\(..|.)|s(?:[-+]?\d+|\([-+]?\d\d)|[lLhvwkmdDoz]'[^']*'|n(?:\[[^\]]*\]|\(..|.)
    |\((?P<two>..)|\[(?P<long>[^\]]*)\]|\*\((?P<string>..)|\*\[(?P<string2>[^\]]*)\]|\*.|(?P<one>.)|$)""",
    re.X,
)
_ROFF_ONE = {"-": "-", "e": "\\", "\\": "\\", " ": " ", "~": " ", "0": " ", "t": " ", "'": "'", "`": "`"}
_FONT_MACROS = {"B", "I", "BR", "IR", "RB", "RI", "BI", "IB", "SM", "SB", "R", "OP"}
_MDOC_TEXT = {
    "Nm",
    "Ar",
    "Ic",
    "Xr",
    "Op",
    "Pa",
    "Fl",
    "Dq",
    "Pq",
    "Tn",
    "Sx",
    "Em",
    "Ns",
    "Bq",
    "Ev",
    "Cm",
    "Dv",
    "Ql",
    "Sq",
    "Li",
    "Va",
    "Fn",
    "Sy",
}
_DROPPED_UNTIL = {"TS": "TE", "de": ".", "ig": ".", "nf": "fi", "EX": "EE", "Vb": "Ve", "CS": "CE", "Bd": "Ed"}


def _roff_unescape(text):
    def replace(match):
        if match["two"] or match["long"]:
            return _ROFF_CHARACTERS.get(match["two"] or match["long"], "")
        if match["string"] or match["string2"]:
            return _ROFF_STRINGS.get(match["string"] or match["string2"], "")
        return _ROFF_ONE.get(match["one"] or "", "")

    return _ROFF_ESCAPE.sub(replace, re.sub(r'\\".*', "", text))


def roff_paragraphs(text):
    paragraphs, lines = [], []
    until = None  # the macro that ends what is being dropped
    tag_next = False  # the line after .TP is the tag, a paragraph of its own

    def end_paragraph():
        if lines:
            paragraphs.extend(join_lines(lines).split("\0"))
            lines.clear()

    for line in text.split("\n"):
        macro = re.match(r"""[.'][ \t]*([A-Za-z]+|\.|\\")?[ \t]*(.*)""", line)
        if until:
            if macro and macro[1] == until:
                until = None
            continue
        if not macro:
            if not line.strip():
                end_paragraph()
            else:
                lines.append(_roff_unescape(line))
        else:
            name, arguments = macro[1], macro[2]
            if name in _DROPPED_UNTIL:
                end_paragraph()
                until = _DROPPED_UNTIL[name]
                continue
            if name in _FONT_MACROS or name in _MDOC_TEXT:
                words = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', arguments)]
                joint = "" if name in {"BR", "IR", "RB", "RI", "BI", "IB"} else " "
                lines.append(_roff_unescape(joint.join(w for w in words if w not in _MDOC_TEXT)))
            elif name in {'\\"', "ft", "ps", "ne", "hy", "ta", "ad", "PD", "nh", "IX", "mk"} or not name:
                continue
            else:  # headings, paragraph macros and whatever is not known
                end_paragraph()
                tag_next = name in {"TP", "TQ"}
                continue
        if tag_next and lines:
            end_paragraph()
            tag_next = False
    end_paragraph()
    return paragraphs


def paragraphs_of(path):
    """The paragraphs of one file by its name: .html, .xhtml, .txt or a manual page, gzip or not."""
    raw = path.read_bytes()
    name = path.name
    if name.endswith(".gz"):
        raw, name = gzip.decompress(raw), name[:-3]
    text = raw.decode("utf-8", errors="replace")
    if name.endswith((".html", ".xhtml", ".htm")):
        return html_paragraphs(text)
    if name.endswith(".txt"):
        return [join_lines(block.split("\n")) for block in re.split(r"\n\s*\n", text)]
    return roff_paragraphs(text)


# --- cleaning: paragraph -> sentences ---

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
WIDE = HAN + "\u3000-\u303f\uff00-\uffef“”‘’…—"
_TO_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
_TO_FULL = dict(zip(",;:?!()", "，；：？！（）"))
_FINAL = "。！？；"
_CLOSING = "”’」』）》】\"'"
_SENTENCE_END = re.compile(
    rf"(?<=[{_FINAL}])(?![{_CLOSING}{_FINAL}])|(?<=[{_FINAL}][{_CLOSING}])(?![{_CLOSING}{_FINAL}])"
)
_UNWANTED = re.compile(
    r"[{}<>|\\$`~^=\[\]*#\u0000-\u001f\ufffd\u3040-\u30ff\uac00-\ud7af]|://|www\.|@\w|[（(][）)]|--|[,;.]{2}"
)
_LATIN_RUN = re.compile(r"[A-Za-z0-9_.\-/+@]+")
_SPACE_AT_WIDE = re.compile(rf"(?<=[{WIDE}]) +| +(?=[{WIDE}])")


def join_lines(lines):
    """Hard-wrapped lines as one line: no space between CJK characters, one space elsewhere."""
    text = re.sub(r"\s+", " ", " ".join(line.strip() for line in lines)).strip()
    return re.sub(rf"(?<=[{WIDE}]) (?=[{WIDE}])", "", text)


def normalise(text):
    """Full-width ASCII to half; , ; : ? ! ( ) . next to Han to full width; no space beside full-width characters."""
    text = re.sub(r"\s+", " ", text.translate(_TO_HALF)).strip()
    text = re.sub(rf"(?<=[{HAN}”’」』》）]) ?([,;:?!)])", lambda m: _TO_FULL[m[1]], text)
    text = re.sub(rf"([,;:?!])(?= ?[{HAN}“「《])", lambda m: _TO_FULL[m[1]], text)
    text = re.sub(rf"(?<=[{HAN}”’」』》）])\.(?=$|[ {HAN}])", "。", text)
    text = re.sub(rf"(?<=[A-Za-z)\"'])\.(?=$| ?[{HAN}])", "。", text)
    text = re.sub(rf"\((?=[^()]*[{HAN}])([^()]*)\)", r"（\1）", text)  # brackets in pairs, both of one kind
    text = re.sub(rf"（([^（）()]*)\)", r"（\1）", text)
    text = re.sub(rf"(?<=[{HAN}])\(([^()]*)\)", r"（\1）", text)
    text = re.sub(rf"\(([^()（）]*)）", r"（\1）", text)
    text = re.sub(r"(?<=）) ?([,;:?!])", lambda m: _TO_FULL[m[1]], text)
    return _SPACE_AT_WIDE.sub("", text)


def sentences_of(paragraph):
    return [piece.strip() for piece in _SENTENCE_END.split(normalise(paragraph)) if piece.strip()]


def han_only(sentence):
    return re.sub(rf"[^{HAN}]", "", sentence)


def rejection(sentence, common_han, shortest=8, longest=60):
    """Why a sentence is left out, or None. Length: characters without spaces, the tokens of a shard."""
    text = sentence.replace(" ", "")
    if not shortest <= len(text) <= longest:
        return "length"
    if text.rstrip(_CLOSING)[-1:] not in _FINAL or text[0] in _FINAL + _CLOSING + "，：、":
        return "no final punctuation"
    if _UNWANTED.search(sentence):
        return "code or URL"
    han = han_only(text)
    words = len(_LATIN_RUN.sub("x", text))  # a name or number counts once, but must not be most of the tokens either
    if len(han) < 0.7 * words or len(han) < 0.5 * len(text):
        return "too little Han"
    if not all(character in common_han for character in han):
        return "uncommon Han"
    if any(text.count(a) != text.count(b) for a, b in ("（）", "“”", "《》", "()", "【】")):
        return "unpaired brackets"
    return None
