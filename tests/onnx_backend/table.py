"""The results that are kept with the tests, and docs/onnx-ops.md, which is made of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.onnx_backend.cases import cases
from tests.onnx_backend.trial import KINDS, Outcome

RESULTS = Path(__file__).parent / "results"
STATES = RESULTS / "states.json"
TABLE = Path(__file__).resolve().parents[2] / "docs" / "onnx-ops.md"
_TARGETS = {"tflite": "TFLite", "mnn": "MNN"}
_LONGEST = 160


def read_results(target: str) -> dict[str, Outcome]:
    """{test: outcome} as last written; nothing where there is none."""
    file = RESULTS / f"{target}.json"
    if not file.exists():
        return {}
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Outcome])


class States(msgspec.Struct):
    """Of how many states of the code the outcomes are, and how many are of the latest."""

    states: int
    latest: int


def write_results(target: str, found: dict[str, Outcome], states: States) -> None:
    """One line for each test, so that a change shows as such."""
    RESULTS.mkdir(exist_ok=True)
    STATES.write_text(msgspec.json.encode({**_states(), target: states}).decode() + "\n")
    lines = [
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(found[name]).decode()}"
        for name in sorted(found)
    ]
    (RESULTS / f"{target}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _states() -> dict[str, States]:
    if not STATES.exists():
        return {}
    return msgspec.json.decode(STATES.read_bytes(), type=dict[str, States])


def write_table() -> None:
    """docs/onnx-ops.md."""
    results = {target: read_results(target) for target in _TARGETS}
    ops: dict[str, list[str]] = defaultdict(list)
    for case in cases():
        ops[case.op() if case.kind == "node" else f"PyTorch: {case.op()}"].append(case.id)
    lines = [
        "# ONNX's own tests, operator by operator",
        "",
        "Made by `python -m tests.onnx_backend --target tflite` (and `mnn`) from the node,"
        " pytorch-converted and pytorch-operator tests of the installed `onnx` package: each is"
        " converted in fp32 as `mobileq convert` does, and run on the test's own inputs."
        f" {' '.join(_told_states())}",
        "",
        *(f"- **{kind}**: {meaning}." for kind, meaning in KINDS.items()),
        "",
        *_totals(results),
        "",
        "Where not all tests of an operator are right, the cell counts the others and names the"
        " most frequent reason.",
        "",
        "| operator | tests | " + " | ".join(_TARGETS.values()) + " |",
        "| --- | --- | " + " | ".join("---" for _ in _TARGETS) + " |",
    ]
    for op in sorted(ops, key=lambda op: (op.startswith("PyTorch"), op)):
        cells = [
            _cell([found[name] for name in ops[op] if name in found]) for found in results.values()
        ]
        lines.append(f"| {op} | {len(ops[op])} | {' | '.join(cells)} |")
    TABLE.write_text("\n".join(lines) + "\n")


def _told_states() -> Iterator[str]:
    """Without `--again`, what was right stays as it was, and `--only` runs a part."""
    for target, states in _states().items():
        whole = (
            "one run over the same code"
            if states.states == 1
            else f"{states.states} states of the code: {states.latest} tests, those that had not"
            " been right, those of operators that had changed and some others, ran at the latest,"
            " and what had been right before was not run again"
        )
        yield f"The column of {_TARGETS[target]} is of {whole}."


def _totals(results: dict[str, dict[str, Outcome]]) -> list[str]:
    lines = [
        "| | " + " | ".join(KINDS) + " | right of those not excluded |",
        "| --- |" + " --- |" * (len(KINDS) + 1),
    ]
    for target, found in results.items():
        if found:
            counts = Counter(outcome.kind for outcome in found.values())
            judged = len(found) - counts["excluded"]
            numbers = " | ".join(str(counts[kind]) for kind in KINDS)
            lines.append(
                f"| {_TARGETS[target]} | {numbers} | {counts['right'] / max(judged, 1):.1%} |"
            )
    return lines


def _cell(found: list[Outcome]) -> str:
    if not found:
        return ""
    counts = Counter(outcome.kind for outcome in found)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    reasons = Counter(_reason(each) for each in found if each.kind not in ("right", "excluded"))
    if not reasons:
        reasons = Counter(_reason(each) for each in found if each.kind == "excluded")
    return f"{told}: {reasons.most_common(1)[0][0]}" if reasons else told


def _reason(outcome: Outcome) -> str:
    text = re.sub(r"\s+", " ", outcome.reason).replace("|", "\\|")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
