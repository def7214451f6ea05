"""relmpi-data chat against transformers' apply_chat_template, to the byte: templates that use every construct, templates
written after the published conventions of model families, and random conversations. Exits 1 at a difference, 77 without
transformers."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from chat_templates import CONSTRUCTS, CONVERSATIONS, FAMILIES, REFUSED

SPECIAL = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}, "pad_token": None,
           "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}


def write_tokenizer(file):
    """Bytes alone: the texts are what is compared."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(file))


def reference(template, row, thinking, continues):
    """The text, or None where transformers raises an exception."""
    from transformers.utils.chat_template_utils import render_jinja_template
    special = {"bos_token": "<s>", "eos_token": "</s>", "additional_special_tokens": SPECIAL["additional_special_tokens"]}
    variables = {**special, **row.get("chat_template_kwargs", {})}
    if thinking is not None:
        variables.setdefault("enable_thinking", thinking)
    try:
        rendered, _ = render_jinja_template(
            [row["messages"]], tools=row.get("tools"), documents=row.get("documents"), chat_template=template,
            add_generation_prompt=not continues, continue_final_message=continues, **variables)
    except Exception as error:
        return None, repr(error)
    return rendered[0], ""


def ours(program, folder, template, row, thinking, continues):
    file = folder / "case.jinja"
    file.write_bytes(template.encode())
    options = (["--thinking", "on" if thinking else "off"] if thinking is not None else []) + \
        (["--continue-final-message"] if continues else [])
    run = subprocess.run([program, "chat", "--tokenizer", folder, "--template", file, *options],
                         input=json.dumps(row, ensure_ascii=False) + "\n", capture_output=True, encoding="utf-8", timeout=60)
    if run.returncode == 2:
        return None, run.stderr
    if run.returncode != 0:
        raise SystemExit(f"exit code {run.returncode}: {run.stderr}\n{template}")
    return json.loads(run.stdout)["text"], run.stderr


class Count:
    def __init__(self):
        self.cases = self.refused = self.wrong = 0

    def compare(self, program, folder, name, template, row, thinking=None, continues=False):
        expected, why = reference(template, row, thinking, continues)
        got, message = ours(program, folder, template, row, thinking, continues)
        self.cases += 1
        self.refused += expected is None
        if got == expected:
            return
        self.wrong += 1
        print(f"{name}, {json.dumps(row, ensure_ascii=False)[:300]}:\n  transformers {expected!r} {why}\n  relmpi       {got!r} "
              f"{message.strip()[-300:]}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    arguments = parser.parse_args()
    try:
        import transformers.utils.chat_template_utils  # noqa: F401
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(77)
    count = Count()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_tokenizer(folder / "tokenizer.json")
        (folder / "tokenizer_config.json").write_text(json.dumps(SPECIAL))
        for name, template in CONSTRUCTS.items():
            for row in CONVERSATIONS[:2]:
                count.compare(arguments.program, folder, name, template, row)
        for name, template in FAMILIES.items():
            for row in CONVERSATIONS:
                for thinking in (None, True, False):
                    count.compare(arguments.program, folder, name, template, row, thinking)
                count.compare(arguments.program, folder, name, template, row, continues=True)
        for name, template in REFUSED.items():
            got, message = ours(arguments.program, folder, template, CONVERSATIONS[0], None, False)
            if got is not None or "case.jinja" not in message:
                count.wrong += 1
                print(f"{name} should be refused with its place: {got!r} {message}", file=sys.stderr)
    print(f"{count.cases} texts, {count.refused} of them refused by both, {count.wrong} differ")
    sys.exit(1 if count.wrong else 0)


if __name__ == "__main__":
    main()
