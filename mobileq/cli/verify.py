"""`mobileq verify`."""

from __future__ import annotations

from mobileq.cli.options import BundleFolder, Json


def verify(
    bundle: BundleFolder,
    json: Json = False,
) -> int:
    """Check a bundle's files against the hashes in its manifest."""
    from mobileq.bundle import verify_bundle
    from mobileq.console import Console
    from mobileq.errors import EXIT_FAILED, EXIT_OK

    console = Console(json)
    report = verify_bundle(bundle)
    if json:
        console.document({"ok": report.ok, **vars(report)})
    if report.ok:
        console.line(f"{bundle}: every file is as it was written.", "good")
    else:
        report.tell(console)
    return EXIT_OK if report.ok else EXIT_FAILED
