"""From the template folder to the files of a project. Only `.jinja` files are rendered."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from mobileq.android.options import COMPILE_SDK, AndroidOptions
from mobileq.android.resource_text import android_text
from mobileq.android.runtimes import Runtime, chosen_runtimes, other_folders, release_of

_SUFFIX = ".jinja"
_VIEW = re.compile(r"^public final class \w+ extends AnswerView\b", re.MULTILINE)
_PARTS = "parts/"
"""Templates that others include."""


def template_folder() -> Path:
    """`android_template/`: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "android_template", package.parent / "android_template"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("mobileq was installed without android_template")


@cache
def task_views() -> dict[str, str]:
    """The tasks whose answers the app can show, each with the Java class of the view that does."""
    app = template_folder() / "app/src/main/java/mobileq/app"
    return {
        view.parent.name: f"mobileq.app.{view.parent.name}.{view.stem}"
        for view in sorted(app.glob("*/*.java"))
        if _VIEW.search(view.read_text(encoding="utf-8"))
    }


def rendered_files(options: AndroidOptions) -> dict[str, bytes]:
    """Every file of the project but the bundle, by its path with forward slashes."""
    import jinja2

    folder = template_folder()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # each file has its own rules; `android_text` knows those of resources
    )
    environment.filters["android_text"] = android_text
    chosen = chosen_runtimes(options.runtimes, options.litert)
    values = {
        **vars(options),
        "compile_sdk": COMPILE_SDK,
        "task_views": task_views(),
        "runtimes": chosen,
        "releases": {
            each.release.alias: release_of(each, options) for each in chosen if each.release
        },
    }
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or _left_out(name, chosen):
            continue
        if name.endswith(_SUFFIX):
            text = environment.get_template(name).render(values)
            files[name.removesuffix(_SUFFIX)] = text.encode()
        else:
            files[name] = path.read_bytes()
    return files


def _left_out(name: str, chosen: tuple[Runtime, ...]) -> bool:
    return name.startswith((_PARTS, *other_folders(chosen)))
