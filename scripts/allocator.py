"""The settings of malloc that relmpi makes for itself when it starts, for the programs that it is compared with."""

import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "base/allocator.cpp"


def environment():
    """glibc's variables: MALLOC_TRIM_THRESHOLD_ is what M_TRIM_THRESHOLD is to mallopt."""
    found = {}
    for name, number, shift in re.findall(r"mallopt\(M_(\w+), ([\d']+)(?: << (\d+))?\)", SOURCE.read_text()):
        found[f"MALLOC_{name}_"] = str(int(number.replace("'", "")) << int(shift or 0))
    return found
