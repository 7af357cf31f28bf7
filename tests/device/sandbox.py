"""What is on the device: a folder for its file system, a shell, and the few programs that are used.

The shell is the machine's own /bin/sh, so that quoting is judged by a real one. Paths of the device
in a command are made paths of the folder, and nothing but the programs below is found.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path

TEMPORARY = "data/local/tmp"
_BORROWED = (
    *(
        "mkdir",
        "mv",
        "ls",
        "head",
        "wc",
        "sha256sum",
        "sha1sum",
        "md5sum",
        "stat",
        "chmod",
        "sleep",
        "cp",
    ),
    *("find", "grep", "touch"),
)
"""Programs of the machine that do here what toybox's do there."""
_PATH = re.compile(r"(?<![\w./-])/(?=(?:data|proc|sys|sdcard)/)")

_PROGRAMS = {
    "getprop": """
        [ $# = 0 ] && exec cat "{root}/etc/getprop.txt"
        exec /bin/sed -n 's/^\\['"$1"'\\]: \\[\\(.*\\)\\]$/\\1/p' "{root}/etc/getprop.txt"
    """,
    "getconf": '[ "$1" = PAGE_SIZE ] && cat "{root}/etc/page_size"',
    "dumpsys": """
        [ "$1" = -t ] && shift 2
        [ -f "{root}/etc/dumpsys/$1" ] || {{ echo "Can't find service: $1" >&2; exit 0; }}
        cat "{root}/etc/dumpsys/$1"
    """,
    "df": """
        used=$(( $(/usr/bin/du -sb "{root}/data/local/tmp" | /usr/bin/cut -f1) / 1024 ))
        all=$(( $(cat "{root}/etc/capacity") / 1024 ))
        echo "Filesystem     1K-blocks     Used Available Use% Mounted on"
        echo "/dev/block/dm-8 $all $used $((all - used)) 50% /data/user/0"
    """,
    "logcat": """
        case "$*" in
            *crash*) cat "{root}/etc/crash.txt" ;;
            *) cat "{root}/etc/logcat.txt" ;;
        esac
    """,
    "cmd": """
        for last; do :; done
        case "$2" in
            install)
                /usr/bin/head -c "$last" > "{root}/installed/app.apk"
                /bin/cat "{root}/installed/app.apk" > "{root}/data/app/base.apk"
                echo "$*" > "{root}/installed/how"
                [ -f "{root}/etc/refusal" ] || {{ echo Success; exit; }}
                echo "Failure [$(cat "{root}/etc/refusal")]"
                exit 1 ;;
            resolve-activity)
                [ -f "{root}/etc/activity" ] || {{ echo "No activity found"; exit; }}
                echo "priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=false"
                echo "$last/$(cat "{root}/etc/activity")" ;;
        esac
    """,
    "pm": """
        if [ "$1" = path ]; then
            [ -f "{root}/data/app/base.apk" ] || exit 1
            echo "package:{root}/data/app/base.apk"
            exit
        fi
        [ -f "{root}/etc/no_grant" ] && exit 255
        echo "$*" >> "{root}/installed/granted"
    """,
    "am": """
        echo "Starting: Intent {{ cmp=$4 }}"
        [ -f "{root}/etc/am_error" ] && exec cat "{root}/etc/am_error"
        if [ -f "{root}/etc/crashes" ]; then
            cat "{root}/etc/crashes" > "{root}/etc/crash.txt"
        else
            echo "$4" > "{root}/installed/running"
        fi
        echo "Status: ok"
    """,
    "pidof": 'grep -q "^$1/" "{root}/installed/running" 2>/dev/null && echo 4711',
    "rm": """
        for each; do
            case "$each" in
                -f|-rf|"{root}"/*|[!-/]*|./*) ;;
                *) echo "rm: $each: not of the device" >&2; exit 1 ;;
            esac
        done
        exec /bin/rm "$@"
    """,
    "cat": """
        [ $# -gt 0 ] && exec /bin/cat "$@"
        [ -f "{root}/etc/takes" ] || exec /bin/cat
        /usr/bin/head -c "$(/bin/cat "{root}/etc/takes")"
        [ "$(/usr/bin/head -c 1 | /usr/bin/wc -c)" = 0 ] && exit 0
        echo "cat: xwrite: No space left on device" >&2
        exit 1
    """,
}

_BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  status: 2
  health: 2
  present: true
  level: 83
  scale: 100
  voltage: 4112
  temperature: 287
  technology: Li-ion
"""
_THERMAL = """IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 2
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=31.8, mType=3, mName=skin, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=38.2, mType=0, mName=CPU0, mStatus=0}
\tTemperature{mValue=31.9, mType=3, mName=skin, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
"""
HIGHEST_KHZ = (1950000, 2850000)
"""Of processors 0 to 3, and 4 to 7."""
PROPERTIES = {
    "ro.product.manufacturer": "Example",
    "ro.product.model": "Loop 9",
    "ro.build.version.release": "15",
    "ro.build.version.sdk": "35",
    "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a,armeabi",
    "ro.soc.manufacturer": "Tensor",
    "ro.soc.model": "G4",
    "ro.board.platform": "zumapro",
    "ro.hardware": "caiman",
}


class Sandbox:
    """The device's insides, in a folder; what a test changes is what the next command finds.

    Attributes:
        delay_s: Every command begins so much later.
    """

    def __init__(self, root: Path, properties: dict[str, str]) -> None:
        self.root = root
        self.delay_s = 0.0
        self.temporary = root / TEMPORARY
        self.temporary.mkdir(parents=True)
        (root / "bin").mkdir()
        (root / "installed").mkdir()
        (root / "data" / "app").mkdir()
        self.write("etc/getprop.txt", "".join(f"[{k}]: [{v}]\n" for k, v in properties.items()))
        self.write("etc/page_size", "4096\n")
        self.write("etc/dumpsys/battery", _BATTERY)
        self.write("etc/dumpsys/thermalservice", _THERMAL)
        for cpu in range(8):
            self.set_clock(cpu, governor="schedutil", cur=300000, max=HIGHEST_KHZ[cpu // 4])
        self.write("etc/activity", "mobileq.app.MainActivity")
        self.write("etc/crash.txt", "")
        self.write("etc/logcat.txt", "--------- beginning of main\n")
        self.write("proc/meminfo", "MemTotal:       11843212 kB\nMemAvailable:    6021144 kB\n")
        self.capacity = 50_000_000_000
        for name in _BORROWED:
            found = shutil.which(name)
            assert found, name
            (root / "bin" / name).symlink_to(found)
        for name, script in _PROGRAMS.items():
            self.install(name, script.format(root=root))

    def write(self, path: str, text: str | bytes) -> Path:
        """Put a file into it."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        return place

    def install(self, name: str, script: str) -> None:
        """A program of the device's: a script of the shell's, found by its name."""
        place = self.write(f"bin/{name}", f"#!/bin/sh\n{script}\n")
        place.chmod(place.stat().st_mode | stat.S_IXUSR)

    def remove(self, *names: str) -> None:
        """Take programs away, as an old system lacks them."""
        for name in names:
            (self.root / "bin" / name).unlink()

    @property
    def capacity(self) -> int:
        """Bytes that the device's disk has, as `df` tells it."""
        return int((self.root / "etc" / "capacity").read_text())

    @capacity.setter
    def capacity(self, count: int) -> None:
        self.write("etc/capacity", str(count))

    def space_left(self) -> int:
        """Bytes free."""
        files = (each for each in self.temporary.rglob("*") if each.is_file())
        return self.capacity - sum(each.stat().st_size for each in files)

    def set_clock(self, cpu: int, governor: str | None = None, **khz: int) -> None:
        """What the kernel says of one of eight processors: `cur` and `max` in kHz."""
        folder, first = f"sys/devices/system/cpu/cpu{cpu}/cpufreq", cpu // 4 * 4
        self.write(f"{folder}/related_cpus", " ".join(map(str, range(first, first + 4))) + "\n")
        self.write(f"{folder}/cpuinfo_max_freq", f"{HIGHEST_KHZ[cpu // 4]}\n")
        for name, value in khz.items():
            self.write(f"{folder}/scaling_{name}_freq", f"{value}\n")
        if governor is not None:
            self.write(f"{folder}/scaling_governor", f"{governor}\n")

    def fill_after(self, count: int | None) -> None:
        """The disk is full after so many more bytes of a file, whatever `df` said; None: not."""
        if count is None:
            (self.root / "etc" / "takes").unlink(missing_ok=True)
        else:
            self.write("etc/takes", str(count))

    def place(self, path: str) -> Path:
        """Where a path of the device is."""
        place = Path(os.path.normpath(f"{self.root}/{path}"))
        assert place.is_relative_to(self.root), path
        return place

    def start(self, command: str, stderr: int) -> subprocess.Popen[bytes]:
        """Run a command line of the shell."""
        time.sleep(self.delay_s)
        text = _PATH.sub(f"{self.root}/", command)
        return subprocess.Popen(
            ["/bin/sh", "-c", text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=self.root,
            env={"PATH": str(self.root / "bin"), "HOME": "/", "TMPDIR": str(self.temporary)},
            start_new_session=True,
        )
