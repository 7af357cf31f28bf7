"""`mobileq doctor`."""

from __future__ import annotations

from mobileq.cli.options import AdbPath, Json


def doctor(adb: AdbPath = None, json: Json = False) -> int:
    """Check what mobileq stands on; say what mends it.

    Exit code 0 where nothing that every command needs is wrong: phones and apps need more.
    """
    from msgspec import structs

    from mobileq.console import Console
    from mobileq.errors import EXIT_FAILED, EXIT_OK
    from mobileq.workflows.doctor import doctor as run

    console = Console(json)
    found = run(adb=adb, progress=console)
    if json:
        console.document({"ok": found.ok, **structs.asdict(found)})
    found.tell(console)
    return EXIT_OK if found.ok else EXIT_FAILED
