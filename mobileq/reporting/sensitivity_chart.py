"""The bar chart of `mobileq sensitivity`, as an SVG that needs nothing but a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobileq.page import number
from mobileq.reporting.layer_charts import Ranked, ranked_chart
from mobileq.reporting.vega import LIGHT, render

if TYPE_CHECKING:
    from mobileq.quantize.sensitivities import Sensitivity

_SHOWN = 30


def chart(found: Sensitivity) -> str:
    """The most sensitive groups: shares of the error as bars, their running sum as a line."""
    groups = [
        Ranked(
            name=group.name,
            op_type=group.op_type,
            share=group.share,
            why=group.why,
            figures=(
                f"{group.sqnr_db:.1f}",
                number(group.agreement, ".3f", "–"),  # noqa: RUF001
                f"{group.weight_count:,}",
            ),
        )
        for group in found.groups[:_SHOWN]
    ]
    title = f"{found.model}: what 8 bits cost, op by op"
    heading = {
        "text": title,
        "subtitle": _subtitle(found, len(groups)),
        "fontSize": 18,
        "subtitleColor": LIGHT.quiet,
        "offset": 24,
    }
    made = ranked_chart(groups, ("SQNR dB", "agreement", "weights"), LIGHT, heading)
    return render(made, LIGHT, title) + "\n"


def _subtitle(found: Sensitivity, shown: int) -> str:
    of = f"the {shown} most sensitive of {len(found.groups)} groups"
    if shown == len(found.groups):
        of = f"all {shown} groups"
    return (
        f"{of}, each quantized alone; {found.head} head, ranges from "
        f"{found.calibration_images} pictures, run on {found.samples}"
    )
