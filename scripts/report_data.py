"""Reads the records of a run for report.py and checks them: metrics, results, settings."""

import json
import math
import re
import tomllib


class ReportError(Exception):
    """What the caller can fix."""


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ReportError(f"{path} is not JSON: {error}") from error


def read_metrics(path):
    """(training rows, evaluation rows) by rising step. If a resumed run logged a step twice, the last counts."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ReportError(
            f"cannot read {path}: {error.strerror}. --run takes the folder that relmpi-train wrote."
        ) from error
    training, evaluations = {}, {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            step = int(row["step"])
            if "evaluation" in row:
                evaluations[step] = row["evaluation"] | {"step": step}
            else:
                training[step] = row
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # the run was killed while it wrote
            raise ReportError(f"{path}:{number}: not an object with a step ({error})") from error
    return [training[step] for step in sorted(training)], [evaluations[step] for step in sorted(evaluations)]


def read_optional(path, read, notes):
    """What `read` makes of the file's text, or {} and a note if the file is absent or broken."""
    try:
        found = read(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        notes.append(f"{path} is not there: what it would tell is left out.")
        return {}
    except ValueError as error:
        notes.append(f"{path} cannot be read ({error}): what it would tell is left out.")
        return {}
    return found if isinstance(found, dict) else {}


def read_run(folder, notes):
    """The settings, the environment and what log.txt says of a run's size and times."""
    config = read_optional(folder / "config.toml", tomllib.loads, notes)
    environment = read_optional(folder / "environment.json", json.loads, notes)
    return config, environment, read_optional(folder / "log.txt", read_log, notes)


def read_log(text):
    found = {}
    size = re.search(r"(\d+) sentences, (\d+) characters; (\d+) parameters", text)
    if size:
        found.update(zip(("sentences", "characters", "parameters"), map(int, size.groups())))
    times = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text, re.MULTILINE)
    if times:
        found.update(first=times[0], last=times[-1])
    return found


def finite(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def series(rows, name):
    """(steps, values) of the rows in which the value is a number."""
    found = [(row["step"], row[name]) for row in rows if finite(row.get(name))]
    return [step for step, _ in found], [value for _, value in found]


def loss_series(rows, name):
    """As series(), without zeros: relmpi-train writes 0 for a part of the loss that has no position."""
    steps, values = series(rows, name)
    return [s for s, v in zip(steps, values) if v > 0], [v for v in values if v > 0]


def mixture_start(training):
    """The first logged step with an auxiliary loss, or None if it is there from the first line on or never."""
    steps = loss_series(training, "aux")[0]
    return steps[0] if steps and steps[0] > training[0]["step"] else None


def time_shares(training):
    """[(what, milliseconds of a mean step)] that add up to a step; [] if the run did not log them."""
    total, last = {"step_ms": 0.0, "data_wait_ms": 0.0, "comm_wait_ms": 0.0}, 0
    for row in training:
        if all(finite(row.get(name)) for name in total):
            for name in total:
                total[name] += row[name] * (row["step"] - last)
        last = row["step"]
    if not total["step_ms"]:
        return []
    data, ranks = total["data_wait_ms"] / last, total["comm_wait_ms"] / last
    step = max(total["step_ms"] / last, data + ranks)
    return [("computing", step - data - ranks), ("waiting for other ranks", ranks), ("waiting for data", data)]


def training_seconds(training):
    """Time of all logged steps; None if the run did not log it."""
    shares = time_shares(training)
    return sum(ms for _, ms in shares) * training[-1]["step"] / 1000 if shares else None


def check_score(document, path):
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("correction"), dict)
        or not finite(document.get("sentences"))
    ):
        raise ReportError(f'{path} has no "correction" or no "sentences": it is not what `relmpi-eval csc` writes')
    return document


def check_strategies(document, path):
    policies = document.get("policies") if isinstance(document, dict) else None
    if not isinstance(policies, list) or not policies:
        raise ReportError(f'{path} has no "policies": it is not what `relmpi-eval strategies` writes')
    for i, policy in enumerate(policies):
        name = policy.get("name") if isinstance(policy, dict) else None
        if not isinstance(name, str):
            raise ReportError(f'{path}: policies[{i}] has no "name"')
        for field in ("accuracy", "cost_tokens"):
            if not finite(policy.get(field)):
                raise ReportError(f'{path}: the policy {name} has no number "{field}"')
    for part, fields in (("comparisons", ("a", "b")), ("rows", ("policy", "item", "correct"))):
        rows = document.get(part, [])
        if not isinstance(rows, list):
            raise ReportError(f'{path}: "{part}" is not a list')
        for i, row in enumerate(rows):
            for field in fields:
                if not isinstance(row, dict) or field not in row:
                    raise ReportError(f'{path}: {part}[{i}] has no "{field}"')
    return document
