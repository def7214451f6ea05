"""The GPUs that a benchmark ran on, for its settings."""

import json
import subprocess

LIST = """
import json, torch
count = torch.cuda.device_count()
print(json.dumps({"count": count, "name": torch.cuda.get_device_name(0) if count else None}))
"""
DRIVER = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]


def answer(words, environment):
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout


def describe(python, environment):
    """{"count", "name", "driver"} of those that PyTorch sees; the count alone if there is none."""
    found = json.loads(answer([python, "-c", LIST], environment))
    return found | {"driver": answer(DRIVER, environment).split()[0]} if found["count"] else {"count": 0}
