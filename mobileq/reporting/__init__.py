"""Pictures and pages that show what was measured: a bundle's report, the chart of sensitivity."""
