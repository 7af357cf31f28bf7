"""`python -m tests.onnx_backend --target tflite`: every test, and the table in docs/onnx-ops.md.

Results are kept in build/onnx_backend; a test runs again when mobileq's code has changed, or with
`--keep` only where it was not right.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

import msgspec

from mobileq.hashing import file_digest
from tests.onnx_backend import cases as suite
from tests.onnx_backend import trial
from tests.onnx_backend.cases import Case, cases
from tests.onnx_backend.pool import outcomes
from tests.onnx_backend.sample import SAMPLE
from tests.onnx_backend.table import (
    RESULTS,
    TABLE,
    States,
    read_results,
    write_results,
    write_table,
)
from tests.onnx_backend.trial import KINDS, Outcome

_BUILD = Path(__file__).resolve().parents[2] / "build" / "onnx_backend"


class _Kept(msgspec.Struct):
    code: str
    outcome: Outcome
    seconds: float


def main() -> int:
    """Returns 1 where anything is wrong, or an exception was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.onnx_backend", description=__doc__)
    parser.add_argument("--target", choices=("tflite", "mnn"), default="tflite")
    parser.add_argument("--only", default="", help="a regular expression of tests' names")
    parser.add_argument("--sample", action="store_true", help="the tests that `make test` runs")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=_BUILD, help="where results are kept")
    parser.add_argument("--keep", action="store_true", help="what was right is not run again")
    parser.add_argument("--again", action="store_true", help="run also what nothing has changed")
    parser.add_argument("--show", default="wrong,raw,caught", help="outcomes to list, or all")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = [case for case in cases() if re.search(options.only, case.id)]
    if options.sample:
        chosen = [case for case in chosen if case.id in SAMPLE]
    kept = _run(chosen, options)
    found = {case.id: kept[case.id].outcome for case in chosen}
    shown = tuple(KINDS) if options.show == "all" else options.show.split(",")
    for name, outcome in found.items():
        if outcome.kind in shown:
            print(f"{outcome.kind:8} {name}: {outcome.reason[:230]}")
    if not options.only and not options.sample:
        _tell_changes(options.target, found)
        codes = Counter(kept[case.id].code for case in chosen)
        write_results(options.target, found, States(len(codes), codes[_code_of_all()]))
        write_table()
        print(f"Written: {RESULTS / options.target}.json, {TABLE}")
    counts = Counter(outcome.kind for outcome in found.values())
    judged = len(found) - counts["excluded"]
    print(", ".join(f"{kind} {counts[kind]}" for kind in KINDS), f"of {len(found)}")
    print(f"right: {counts['right']} of {judged} ({counts['right'] / max(judged, 1):.1%})")
    return 1 if counts["wrong"] or counts["raw"] else 0


def _code_of_all() -> str:
    """Of mobileq, and of how it is tried."""
    from mobileq.workflows.stages import code_digest

    return code_digest() + file_digest(Path(trial.__file__)) + file_digest(Path(suite.__file__))


def _run(chosen: list[Case], options: argparse.Namespace) -> dict[str, _Kept]:
    file = options.folder / f"{options.target}.json"
    kept: dict[str, _Kept] = {}
    if file.exists():
        kept = msgspec.json.decode(file.read_bytes(), type=dict[str, _Kept])
    code = _code_of_all()

    def is_stale(case: Case) -> bool:
        known = kept.get(case.id)
        if known is None or options.again:
            return True
        settled = ("right", "excluded") if options.keep else ()
        return known.code != code and known.outcome.kind not in settled

    stale = [case for case in chosen if is_stale(case)]
    log = options.folder / f"{options.target}.log"
    log.unlink(missing_ok=True)
    finished = outcomes(stale, options.target, min(options.jobs, 2), log)
    for done, (case, outcome, seconds) in enumerate(finished, 1):
        kept[case.id] = _Kept(code, outcome, round(seconds, 2))
        if sys.stderr.isatty() or done % 50 == 0:
            print(f"{done} of {len(stale)}", end="\r", file=sys.stderr)
        if done % 25 == 0 or done == len(stale):
            file.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
    return kept


def _tell_changes(target: str, found: dict[str, Outcome]) -> None:
    """What the table that was written last says otherwise."""
    for name, before in read_results(target).items():
        now = found.get(name)
        if now is not None and before.kind == "right" != now.kind:
            print(f"no longer right: {name}: {now.kind}, {now.reason[:200]}")


if __name__ == "__main__":
    sys.exit(main())
