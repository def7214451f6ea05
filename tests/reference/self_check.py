"""Tests of the reference and of the parity harness themselves (dgca_parity.py --self-check)."""

import math
import pathlib
import sys
import tempfile

import torch

import dgca_parity
from dgca_reference import Reference
from random_case import parameter_shapes, random_batch, write_random_model, BERT, DGCA
from safetensors_file import read_safetensors


def finite_difference_error(reference, batch, generator):
    """Worst disagreement, over the parameters, of the slope along a random direction with the gradient."""
    result = reference.step(**batch)
    worst, worst_name = 0.0, ""
    step = 1e-5
    largest = max(float(tensor.norm()) for name, tensor in result.items() if name.startswith("grad."))
    for name, weight in reference.weights.items():
        direction = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        direction /= direction.norm()
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight.add_(sign * step * direction)
            values.append(float(reference.step(**batch)["loss"]))
            with torch.no_grad():
                weight.sub_(sign * step * direction)
        slope = (values[0] - values[1]) / (2 * step)
        error = abs(slope - float((result[f"grad.{name}"] * direction).sum())) / largest
        if error > worst:
            worst, worst_name = error, name
    return worst, worst_name


def check_gradients(folder):
    """The gradients are the slopes of the loss, in every kind of case."""
    generator = torch.Generator().manual_seed(0)
    for number, name in enumerate(dgca_parity.cases()):
        if name.count("/") == 2 and number % 2:
            continue  # half of the grid is enough
        settings, batch_settings, _ = dgca_parity.cases()[name]
        batch = dgca_parity.write_case(folder, number, settings, batch_settings)
        error, tensor = finite_difference_error(Reference(folder), batch, generator)
        assert error < 1e-6, f"{name}: the slope along {tensor} differs from its gradient by {error:.1e}"


def check_lstm(folder):
    """The written-out LSTM is torch's."""
    write_random_model(folder, 5)
    reference = Reference(folder)
    weights = {
        name.removeprefix("dgca.prompt.lstm."): tensor.detach()
        for name, tensor in reference.weights.items()
        if ".lstm." in name
    }
    hidden = reference.config.hidden_size
    lstm = torch.nn.LSTM(hidden, hidden, num_layers=2, bidirectional=True, dtype=torch.float64)
    lstm.load_state_dict(weights)
    mixed = lstm(reference.weights["dgca.prompt.embeddings.weight"])[0]
    prompts = reference.linear("dgca.prompt.mlp.2", torch.relu(reference.linear("dgca.prompt.mlp.0", mixed)))
    assert torch.allclose(prompts, reference.prompts(), atol=1e-12)


def check_by_hand(folder):
    """Losses of a model whose heads are constants: uniform logits, zero gate, known detector. Numbers by hand."""
    config = write_random_model(folder, 6)
    reference = Reference(folder)
    with torch.no_grad():
        for name in (
            "bert.embeddings.word_embeddings.weight",
            "cls.predictions.bias",
            "dgca.detector.classifier.weight",
            "dgca.gate.weight",
        ):
            reference.weights[name].zero_()
        reference.weights["dgca.detector.classifier.bias"].fill_(math.log(3))  # d = 3/4
        reference.weights["dgca.gate.weight"][0, -1] = 2.0  # gate = sigmoid(2 d)
        reference.weights["dgca.gate.bias"].fill_(-1.5)  # = sigmoid(0) = 1/2
    v = config["vocab_size"]
    reference.candidates.fill_(-1)
    reference.candidates[11, :4] = torch.tensor([11, 12, 13, 14])
    # Row 0: 11 is right and has 4 candidates. Row 1: 20 -> 21 wrong without candidates; 11 -> 13 wrong and masked.
    result = reference.step([[11], [20, 11]], [[11], [21, 13]], [[0], [0, 1]])
    mixed = -math.log(0.5 / v + 0.5 / 4 + 1e-10)
    plain = -math.log(1 / v + 1e-10)
    expected = {
        "correction": (mixed + 3 * plain + 3 * plain + 3 * plain) / 4,  # three target slots and one masked source slot
        "detection": (-math.log(1 / 4) + 2 * -3 * math.log(3 / 4)) / 3,
        "rank": 3 * (0.5 - 0.25 + 0.25),
        "aux": math.log(v),
    }
    expected["loss"] = expected["correction"] + expected["detection"] + 0.5 * expected["rank"] + expected["aux"]
    for name, value in expected.items():
        assert abs(float(result[name]) - value) < 1e-9, f"{name} is {float(result[name])}, by hand {value}"
    assert torch.allclose(result["alpha"], torch.tensor([[0.5, 0.0], [0.0, 0.0]], dtype=torch.float64))
    assert torch.allclose(result["d"], torch.tensor([[0.75, 0.0], [0.75, 0.75]], dtype=torch.float64))


def check_rows_are_independent(folder):
    """A row's outputs do not depend on the rows beside it: padding and prompts of other rows do not leak in."""
    write_random_model(folder, 7, positions="aligned")
    reference = Reference(folder)
    batch = random_batch(7, reference.candidates)
    together = reference.step(**batch)
    for row, source in enumerate(batch["source"]):
        alone = reference.step(*([batch[key][row]] for key in ("source", "target", "masked")))
        for name in ("d", "alpha", "p"):
            assert torch.allclose(together[name][row, : len(source)], alone[name][0], atol=1e-12), (row, name)


def check_harness_sees_errors(folder):
    """compare() finds what is wrong, and nothing if nothing is."""
    batch = dgca_parity.write_case(folder, 8, {}, {})
    expected = Reference(folder).step(**batch)
    names = {name.removeprefix("grad.") for name in expected if name.startswith("grad.")}
    assert names == set(parameter_shapes(BERT | {"dgca": DGCA}))
    assert dgca_parity.compare(expected, expected, "fp32")[0] == []
    for name in expected:
        if name.endswith(dgca_parity.LEFT_OUT) or (name.endswith(".bias") and expected[name].numel() == 1):
            continue
        for precision, tolerances in dgca_parity.TOLERANCE.items():
            factor = 1 + 1.5 * tolerances[dgca_parity.kind_of(name)]
            changed = expected | {name: expected[name] * factor}
            assert [failure for failure, _ in dgca_parity.compare(changed, expected, precision)[0]] == [name]
        missing = {key: value for key, value in expected.items() if key != name}
        assert dgca_parity.compare(missing, expected, "fp32")[0] == [(name, "missing")]
    assert dgca_parity.compare(expected | {"grad.extra": torch.ones(1)}, expected, "fp32")[0]
    nan = expected | {"loss": torch.tensor(math.nan)}
    assert dgca_parity.compare(nan, expected, "fp32")[0]


def check_program_is_run(folder):
    """A program that is the float32 reference passes through its command line; one that fails is reported."""
    here = pathlib.Path(__file__).parent
    program = folder / "program"
    program.write_text(f"""#!{sys.executable}
import argparse, json, sys
sys.path.insert(0, {str(here)!r})
import torch
from dgca_reference import Reference
from safetensors_file import write_safetensors
parser = argparse.ArgumentParser()
for name in ("--model", "--batch", "--out", "--precision"):
    parser.add_argument(name, required=True)
arguments = parser.parse_args()
write_safetensors(arguments.out, Reference(arguments.model, torch.float32).step(**json.load(open(arguments.batch))))
""")
    program.chmod(0o755)
    batch = dgca_parity.write_case(folder, 9, {}, {})
    expected = Reference(folder).step(**batch)
    actual = dgca_parity.run_program(str(program), folder, "fp32", 0)
    assert dgca_parity.compare(actual, expected, "fp32")[0] == []
    assert "exit code 2" in dgca_parity.run_program(str(program), folder, "fp32", 2)  # knows no --micro-batch


def check_precisions(folder):
    """float32, and PyTorch's autocast to bf16 and fp16, of the reference stay inside the tolerances on every case."""
    worst = {precision: {} for precision in dgca_parity.TOLERANCE}
    for number, (name, (settings, batch_settings, _)) in enumerate(dgca_parity.cases().items()):
        for seed in range(2):
            batch = dgca_parity.write_case(folder, 100 * number + seed, settings, batch_settings)
            expected = Reference(folder, torch.float64).step(**batch)
            for precision, dtype in (("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
                with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
                    actual = Reference(folder, torch.float32).step(**batch)
                failures, errors = dgca_parity.compare(actual, expected, precision)
                assert not failures, f"{name}, {precision}: {failures}"
                for kind, error in errors.items():
                    worst[precision][kind] = max(worst[precision].get(kind, 0.0), error)
    for precision, errors in worst.items():
        print(f"  {precision}: " + "  ".join(f"{kind} {error:.1e}" for kind, error in sorted(errors.items())))


def run():
    for check in (
        check_by_hand,
        check_lstm,
        check_rows_are_independent,
        check_harness_sees_errors,
        check_program_is_run,
        check_gradients,
        check_precisions,
    ):
        with tempfile.TemporaryDirectory() as folder:
            check(pathlib.Path(folder))
        print(f"ok  {check.__doc__.splitlines()[0]}", flush=True)
    return 0
