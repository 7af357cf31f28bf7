"""`mobileq install`: an app that was rendered here onto a phone, from the project or the APK."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mobileq.android.apk import read_apk
from mobileq.android.build import build_apk
from mobileq.device.adb import find_adb
from mobileq.device.install import allow_camera, install_apk, start
from mobileq.device.listing import chosen
from mobileq.device.phone import Phone
from mobileq.errors import UsageError
from mobileq.page import Page, Told, megabytes
from mobileq.paths import StrPath
from mobileq.progress import Progress, listener


@dataclass(frozen=True)
class Installed(Told):
    """The app on the phone. `activity` was started; None where it was not asked for."""

    serial: str
    apk: str
    application_id: str
    size_bytes: int
    may_use_camera: bool
    activity: str | None

    def tell(self, page: Page) -> None:
        """One line."""
        done = "installed" if self.activity is None else "installed and started"
        page.line(
            f"{self.serial}: {self.application_id} {done} ({megabytes(self.size_bytes)}).", "good"
        )


def install(
    app: StrPath,
    *,
    launch: bool = True,
    serial: str | None = None,
    adb: StrPath | None = None,
    progress: Progress | None = None,
) -> Installed:
    """Build an app where it is a project, install it, allow it the camera, and start it.

    Args:
        app: The folder that `android` rendered, or an APK.
        launch: Start it.
        serial: The phone; else that of ANDROID_SERIAL, or the only one.
        adb: The program, where it is not on PATH or in an Android SDK.

    Raises:
        UsageError: There is no such file or folder, or no choice among several phones.
        InputError: It is no project and no APK.
        MissingDependencyError: There is no adb; or what builds the app is missing.
        ToolError: Gradle failed.
        DeviceError: There is no phone, it refuses the app, or the app ends as it starts.
    """
    progress, path = listener(progress), Path(app)
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.", "Check the path.")
    # Building takes minutes: first of all, that there is a phone.
    phone = Phone(chosen(find_adb(adb), serial))
    apk = read_apk(build_apk(path, progress) if path.is_dir() else path)
    with progress.stage(f"Installing {apk.application_id}"):
        install_apk(phone, apk)
    may_use_camera = allow_camera(phone, apk.application_id)
    if not may_use_camera:
        progress.notice("The phone does not let adb allow the camera: allow it when the app asks.")
    activity = None
    if launch:
        with progress.stage(f"Starting {apk.application_id}"):
            activity = start(phone, apk.application_id)
    return Installed(
        serial=phone.serial,
        apk=str(apk.path),
        application_id=apk.application_id,
        size_bytes=apk.path.stat().st_size,
        may_use_camera=may_use_camera,
        activity=activity,
    )
