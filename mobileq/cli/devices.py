"""`mobileq devices`."""

from __future__ import annotations

from mobileq.cli.options import AdbPath, Json, Serial


def devices(serial: Serial = None, adb: AdbPath = None, json: Json = False) -> int:
    """List the phones on adb: what each is, and how it is."""
    from mobileq.console import Console
    from mobileq.errors import EXIT_DEVICE, EXIT_OK
    from mobileq.workflows.devices import devices as run

    console = Console(json)
    found = run(serial=serial, adb=adb)
    if json:
        console.document(found)
    found.tell(console)
    return EXIT_OK if found.is_any_ready else EXIT_DEVICE
