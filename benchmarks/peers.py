"""mobileq beside the tools of others: same model, pictures and machine, in one run.

    python benchmarks/peers.py --models yolov5n,yolox_nano [--create] -o build/peers/run
                    [--page docs/benchmarks.md] [more, as of accuracy.py]

It is accuracy.py with the rows of the peers, whose tools have environments of their own below
`--environments`: `--create` makes those that are missing (3 GB, from a package index). `--page`
writes the page of what -o holds by then. A tool that is missing, fails, or writes files that do
not run says so in its row.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import accuracy
from accuracy_rows import as_markdown, read
from environments import create

ROWS = (
    *("int8", "int8-full", "no-search"),
    *("onnx2tf", "tfliteconverter", "aeq-static", "aeq-dynamic", "aeq-gptq", "aeq-oscar"),
    *("nncf", "ort-all", "ort-minmax", "mnn-kl", "mnn-admm", "mnn-ema", "ncnn"),
)
_HEADING = """# Beside other tools

Made by `python benchmarks/peers.py --page docs/benchmarks.md`: same model, pictures and machine. A
row is one file; the figure is COCO's, on pictures that neither calibrated nor decided anything.

- *diff* is to the float model in ONNX Runtime, *s.e.* its standard error; "no difference found"
  means within two of them.
- Ratios are to the float file of the same runtime. Where a machine has other work, *CPU* (processor
  time) says something of speed, and *ms* and *made in s* do not.
- 0.0000 means that a file finds nothing: where boxes and scores share a tensor, they share a scale,
  and scores round to 0.
- *peak MB* is that of the largest process that made the file; "-" where it was not measured.

`benchmarks/README.md` says what the columns hold and how rows are made.

"""


def main() -> None:
    """Environments, run, page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--environments", type=Path, default=Path("build/peers"))
    parser.add_argument("--create", action="store_true", help="make what is missing there")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/peers/run"))
    parser.add_argument("--page", type=Path, help="the Markdown to write")
    parser.add_argument("--rows", default=",".join(ROWS))
    options, rest = parser.parse_known_args()
    if options.create:
        for tool, reason in create(options.environments).items():
            print(f"{tool}: {reason}")
    chosen = ["--rows", options.rows, "--environments", str(options.environments)]
    accuracy.main([*chosen, "-o", str(options.output), *rest])
    if options.page:
        about = json.loads((options.output / "accuracy.json").read_text())["about"]
        options.page.write_text(_HEADING + as_markdown(about, read(options.output)))


if __name__ == "__main__":
    main()
