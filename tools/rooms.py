"""Which files name a task or a runtime outside its own room?

A task has one room (`mobileq/tasks/NAME`) and a runtime has one (`mobileq/targets/NAME`); whoever
else names one has to be changed when the next is added. In Java a task's room is `core/NAME` with
its view in `app/NAME`, a runtime's is `app/NAME`. Names are read from the code, not from its
comments: identifiers, imported modules, and whole string constants.

    python tools/rooms.py            a table
    python tools/rooms.py --json     the same for scripts
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TASKS = {
    "detect": (
        *("detect", "detection", "detections", "decode", "decoded", "decoding", "nms", "coco"),
        *("box", "boxes", "anchor", "anchors", "iou"),
    ),
    "classify": ("classify", "classifier", "classification", "top1", "top5"),
}
"""By task: words that nobody outside its room should need. Softmax is an op, whatever is made of
it, and `UnicodeDecodeError` has nothing of a detector's."""
_ERROR = re.compile(r"\w*DecodeError")
RUNTIMES = {
    "tflite": ("tflite", "litert"),
    "mnn": ("mnn",),
    "onnxruntime": ("onnxruntime", "ort"),
}
_CORE = "android_template/core/src/main/java/mobileq/core/"
_APP = "android_template/app/src/main/java/mobileq/app/"
ROOMS = {
    "detect": (
        *("mobileq/tasks/detect/", "mobileq/spec/decode.py"),
        *("mobileq/cli/detect.py", "mobileq/workflows/detect.py"),
        *(f"{_CORE}detect/", f"{_CORE}manifest/decode/", f"{_APP}detect/"),
    ),
    "classify": (
        *("mobileq/tasks/classify/", "mobileq/spec/classes.py"),
        *(f"{_CORE}classify/", f"{_CORE}manifest/classes/", f"{_APP}classify/"),
    ),
    "tflite": ("mobileq/targets/tflite/", f"{_APP}tflite/"),
    "mnn": (
        *("mobileq/targets/mnn/", f"{_APP}mnn/"),
        "android_template/app/src/main/java/com/taobao/android/mnn/",
    ),
    "onnxruntime": ("mobileq/targets/onnxruntime/", "mobileq/onnx_runtime/"),
}
"""Where the words are at home. Files of a room that has not been built yet count as its own."""
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_PLAIN = re.compile(r"[\w.-]{1,40}")
_JAVA_TOKEN = re.compile(
    r"/\*.*?\*/|//[^\n]*"  # comments
    r"|BitmapFactory\.\w+|inJustDecodeBounds"  # pictures are decoded too
    r'|"(?P<text>(?:[^"\\\n]|\\.)*)"|(?P<name>[A-Za-z_]\w*)',
    re.DOTALL,
)


def words(text: str) -> list[str]:
    """`DecodeSpec` and `decode_spec` -> ["decode", "spec"]."""
    return [word.lower() for word in _WORD.findall(text)]


def names(tree: ast.Module) -> Iterator[str]:
    """Identifiers, modules and short string constants of a file."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Attribute(attr=name):
                # `data.decode()` makes text of bytes.
                if not (name == "decode" and id(node) in called):
                    yield name
            case ast.ImportFrom(module=str(module), names=imported):
                yield module
                yield from (alias.name for alias in imported)
            case ast.Import(names=imported):
                yield from (alias.name for alias in imported)
            case ast.Constant(value=str(text)) if _PLAIN.fullmatch(text):
                yield text


def java_names(text: str) -> Iterator[str]:
    """Identifiers, parts of packages and short string constants of a file."""
    for found in _JAVA_TOKEN.finditer(text):
        if found["name"]:
            yield found["name"]
        elif found["text"] and _PLAIN.fullmatch(found["text"]):
            yield found["text"]


def named() -> Iterator[tuple[str, Counter[str]]]:
    """(file, how often each word is in its names), Python and Java."""
    for path in sorted((ROOT / "mobileq").rglob("*.py")):
        yield place(path), counted(names(ast.parse(path.read_text())))
    for path in sorted((ROOT / "android_template").rglob("*.java*")):
        yield place(path), counted(java_names(path.read_text()))


def place(path: Path) -> str:
    """Inside the repository, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def counted(found: Iterator[str]) -> Counter[str]:
    """Their words."""
    told = (name for name in found if not _ERROR.fullmatch(name))
    return Counter(word for name in told for word in words(name))


def strangers(kinds: dict[str, tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """{task or runtime: {file outside its room: how often it is named there}}."""
    found: dict[str, dict[str, int]] = {kind: {} for kind in kinds}
    for file, count in named():
        for kind, vocabulary in kinds.items():
            total = sum(count[word] for word in vocabulary)
            if total and not file.startswith(ROOMS[kind]):
                found[kind][file] = total
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    given = parser.parse_args()
    found = {"tasks": strangers(TASKS), "runtimes": strangers(RUNTIMES)}
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for title, kinds in found.items():
        print(f"{title}: files outside the room that name it, and how often")
        for kind, files in kinds.items():
            print(f"  {kind}: {len(files)}")
            for place, total in sorted(files.items(), key=lambda item: -item[1]):
                print(f"    {total:5d}  {place}")


if __name__ == "__main__":
    main()
