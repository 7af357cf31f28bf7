"""Rendered projects, held against the real Android framework, TFLite and androidx."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.android import dexing, jvm
from tests.android.class_references import Library, missing_members
from tests.android.rendered import Project, aapt2, compile_app, link_resources, render

MATRIX: dict[str, dict[str, Any]] = {
    "tflite": {},
    "mnn": {"runtimes": ("mnn",), "delegate": "cpu", "abis": ("arm64-v8a",)},
    "both": {
        "runtimes": ("tflite", "mnn"),
        "delegate": "nnapi",
        "min_sdk": 29,
        "target_sdk": 35,
        "application_id": "A.b_1.C9",
    },
    "litert 2": {"runtimes": ("tflite", "mnn"), "litert": "2", "delegate": "npu"},
    "hostile": {"name": 'Tom\'s "best" <b>&amp;</b> \\n @?  $x ${y} %s %d #{{ name }} 🐦'},
    "reference": {"name": "@string/app_name"},
    "keyword": {"name": "class"},
    "path": {"name": "../../etc/passwd"},
    "long": {"name": "x" * 100},
}
ANDROID = "{http://schemas.android.com/apk/res/android}"


@pytest.fixture(scope="module")
def project(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With all runtimes, its resources linked."""
    made = render(bundle, tmp_path_factory.mktemp("app"), runtimes=("tflite", "mnn"))
    assert not link_resources(made)
    return made


@pytest.fixture(scope="module")
def compiled(project: Project, core_classes: Path, camera_stubs: Path) -> Path:
    problems = compile_app(project, core_classes, camera_stubs)
    assert not problems, problems
    return project.work / "classes"


@pytest.mark.parametrize("options", MATRIX.values(), ids=MATRIX)
def test_every_choice_of_options_compiles(
    options: dict[str, Any], bundle: Path, core_classes: Path, camera_stubs: Path, tmp_path: Path
):
    made = render(bundle, tmp_path, **options)
    said = link_resources(made, options.get("min_sdk", 24), options.get("target_sdk", 36))
    assert not said, said
    said = compile_app(made, core_classes, camera_stubs)
    assert not said, said


@pytest.mark.parametrize("name", ["hostile", "reference", "path"])
def test_the_name_on_the_screen_is_the_one_given(name: str, bundle: Path, tmp_path: Path):
    made = render(bundle, tmp_path, **MATRIX[name])
    tree = ElementTree.parse(made.main / "res/values/app.xml")
    text = tree.find("string[@name='app_name']").text
    unescaped = re.sub(r"\\(u0020|.)", lambda m: " " if m[1] == "u0020" else m[1], text)
    assert unescaped == MATRIX[name]["name"]
    assert not text.startswith(("@", "?"))


WRONG = {
    "TfliteBackend.java": ("interpreter.runForMultipleInputsOutputs", "interpreter.runForMultiple"),
    "CameraBinding.java": ("setBackpressureStrategy", "setBackPressure"),
    "FrameAnalyzer.java": ("getRotationDegrees()", "getRotation()"),
    "Screen.java": ("R.id.answer", "R.id.answers"),
    "BoxesView.java": ("drawRoundRect(box, corner", "drawRoundRect(corner, box"),
    "Photo.java": ("ExifInterface.TAG_ORIENTATION", "ExifInterface.ORIENTATION"),
    "MnnBackend.java": ("nativeTensorGetData", "nativeTensorGetFloats"),
}


@pytest.fixture(scope="module")
def said_of_wrong_calls(project: Project, core_classes: Path, camera_stubs: Path) -> str:
    changed = {}
    for file, (there, instead) in WRONG.items():
        (path,) = project.main.rglob(file)
        text = path.read_text()
        assert there in text
        changed[file] = text.replace(there, instead)
    return compile_app(project, core_classes, camera_stubs, changed=changed)


@pytest.mark.parametrize("file", WRONG)
def test_a_wrong_call_does_not_compile(file: str, said_of_wrong_calls: str):
    assert re.search(rf"{file}:\d+: error: ", said_of_wrong_calls)


def test_android_7_and_java_8_have_everything_that_is_called(compiled: Path, core_classes: Path):
    system = Library(jvm.libraries("android-24"), jvm.jdk())
    assert not missing_members(core_classes, system)
    assert not missing_members(compiled, system)


def test_a_call_that_android_7_lacks_is_found(tmp_path: Path):
    source = tmp_path / "New.java"
    source.write_text(
        "class New { void a(java.nio.ByteBuffer b, android.view.View v) {"
        ' b.rewind(); v.setTooltipText(String.join("", java.util.List.of())); } }'
    )
    classes = jvm.libraries("android")
    assert not jvm.javac(tmp_path / "out", [str(source)], classes, "-Xlint:none")
    system = Library(jvm.libraries("android-24"), jvm.jdk())
    names = {member[1] for _, member in missing_members(tmp_path / "out", system)}
    assert names == {"rewind", "setTooltipText", "of"}


def test_d8_makes_a_dex_for_android_7_without_a_word(
    compiled: Path, core_classes: Path, camera_stubs: Path, tmp_path: Path
):
    classes = [camera_stubs, *jvm.libraries("tflite", "androidx")]
    said = dexing.d8(tmp_path, [core_classes, compiled], classes, min_sdk=24)
    assert said == ""
    assert (tmp_path / "classes.dex").read_bytes().startswith(b"dex\n")


def test_error_prone_finds_nothing(project: Project, camera_stubs: Path, tmp_path: Path):
    classes = [camera_stubs, *jvm.libraries("android", "tflite", "androidx")]
    files = jvm.sources(jvm.CORE, project.main / "java", project.work / "gen")
    assert jvm.error_prone(tmp_path, files, classes) == ""


def test_aapt2_refuses_what_is_wrong(bundle: Path, tmp_path: Path):
    made = render(bundle, tmp_path)
    layout = made.main / "res/layout/activity_main.xml"
    layout.write_text(layout.read_text().replace("android:layout_weight", "android:layout_wait"))
    assert "layout_wait" in link_resources(made)


def test_views_and_components_that_the_resources_name_exist(project: Project, compiled: Path):
    layouts = [ElementTree.parse(path) for path in (project.main / "res/layout").iterdir()]
    names = {element.tag for tree in layouts for element in tree.iter() if "." in element.tag}
    manifest = ElementTree.parse(project.main / "AndroidManifest.xml")
    names |= {element.get(f"{ANDROID}name") for element in manifest.iter("activity")}
    stubs = {"androidx.camera.view.PreviewView"}
    assert names - stubs == {"mobileq.app.MainActivity"}
    for name in names - stubs:
        assert (compiled / f"{name.replace('.', '/')}.class").is_file()


def test_a_device_without_a_camera_is_offered_the_app(project: Project):
    """The permission implies the feature, unless it is said not to be needed."""
    apk = str(project.work / "resources.apk")
    done = subprocess.run([aapt2(), "dump", "badging", apk], capture_output=True, text=True)
    assert "uses-feature-not-required: name='android.hardware.camera'" in done.stdout
    assert "uses-feature: name='android.hardware.camera" not in done.stdout


def test_resource_files_have_names_that_android_takes(project: Project):
    for path in (project.main / "res").rglob("*.xml"):
        assert re.fullmatch(r"[a-z][a-z0-9_]*\.xml", path.name), path


def test_what_the_screen_says_is_used_and_translatable_texts_are_resources(project: Project):
    java = "".join(path.read_text() for path in (project.main / "java").rglob("*.java"))
    layout = "".join(path.read_text() for path in (project.main / "res/layout").iterdir())
    strings = ElementTree.parse(project.main / "res/values/strings.xml").getroot()
    for element in strings:
        name = element.get("name")
        used = (f"R.string.{name}", f"R.plurals.{name}", f'"@string/{name}"')
        assert any(text in java + layout for text in used), name
    assert not re.search(r'android:text="(?!@string/)', layout)


def test_the_translation_has_every_text_with_what_is_put_into_it(project: Project):
    def texts(folder: str) -> dict[str, list[str]]:
        root = ElementTree.parse(project.main / f"res/{folder}/strings.xml").getroot()
        return {
            f"{each.get('name')} {part.get('quantity', '')}": sorted(
                re.findall(r"%\d\$[.\d]*[a-z]", part.text or "")
            )
            for each in root
            for part in (each if len(each) else [each])
        }

    english = texts("values")
    assert len(english) > 50
    assert texts("values-de") == english


def test_the_build_files_say_what_was_chosen(bundle: Path, tmp_path: Path):
    options = MATRIX["both"]
    made = render(bundle, tmp_path, **options)
    app = jvm.gradle_script(made.path / "app/build.gradle")
    assert app["android.namespace"] == "mobileq.app"
    assert app["android.compileSdk"] == "37"
    assert app["android.defaultConfig.applicationId"] == options["application_id"]
    assert app["android.defaultConfig.minSdk"] == "29"
    assert app["android.defaultConfig.targetSdk"] == "35"
    abis = ["arm64-v8a", "armeabi-v7a", "x86_64"]
    assert app["android.defaultConfig.ndk.abiFilters"] == [abis]
    # The function of that name is deprecated since the Android Gradle plugin 9.
    assert app["android.androidResources.noCompress"] == "[tflite, mnn]"
    assert app["android.packaging.jniLibs.useLegacyPackaging"] == "false"
    settings = jvm.gradle_script(made.path / "settings.gradle")
    assert settings["rootProject.name"] == "C9"
    assert settings["include"] == [[":app", ":core"]]
    core = jvm.gradle_script(made.path / "core/build.gradle")
    assert core["java.sourceCompatibility"] == "VERSION_17"


def test_the_release_build_is_shrunk_and_can_be_split_by_processor(project: Project):
    """AGP refuses a project that filters ABIs for all APKs and splits them as well."""
    build = project.path / "app/build.gradle"
    abis = ["arm64-v8a", "armeabi-v7a", "x86_64"]
    usual, split = jvm.gradle_script(build), jvm.gradle_script(build, "splitAbis")
    assert (usual["android.splits.abi.enable"], split["android.splits.abi.enable"]) == (
        *("false", "true"),
    )
    assert "android.defaultConfig.ndk.abiFilters" not in split
    assert split["android.splits.abi.include"] == [abis]
    assert usual["android.buildTypes.release.minifyEnabled"] == "true"
    assert usual["android.buildTypes.release.shrinkResources"] == "true"
    ((_, rules),) = usual["android.buildTypes.release.proguardFiles"]
    assert (project.path / "app" / rules).is_file()


@pytest.mark.parametrize("opencl", ["libOpenCL.so", "libOpenCL-pixel.so", "libOpenCL-car.so"])
def test_every_name_that_opencl_has_on_phones_is_asked_for(opencl: str, project: Project):
    manifest = ElementTree.parse(project.main / "AndroidManifest.xml")
    libraries = {
        each.get(f"{ANDROID}name"): each.get(f"{ANDROID}required")
        for each in manifest.iter("uses-native-library")
    }
    assert libraries[opencl] == "false"


@pytest.mark.parametrize("runtimes", [("tflite",), ("mnn",)])
def test_every_dependency_is_in_the_catalogue_and_the_other_way_round(
    runtimes: tuple[str, ...], bundle: Path, tmp_path: Path
):
    made = render(bundle, tmp_path, runtimes=runtimes)
    app = jvm.gradle_script(made.path / "app/build.gradle")
    used = {
        values[0].removeprefix("dependencies.libs.").replace(".", "-")
        for values in app["dependencies.implementation"]
        if values[0].startswith("dependencies.libs.")
    }
    catalogue = tomllib.loads((made.path / "gradle/libs.versions.toml").read_text())
    assert used == set(catalogue["libraries"])
    entries = [*catalogue["libraries"].values(), *catalogue["plugins"].values()]
    assert {entry["version"]["ref"] for entry in entries} == set(catalogue["versions"])


def test_the_catalogue_names_the_versions_that_are_compiled_against(bundle: Path, tmp_path: Path):
    made = render(bundle, tmp_path)
    versions = tomllib.loads((made.path / "gradle/libs.versions.toml").read_text())["versions"]
    compiled_against = {
        artifact: version
        for _, artifact, version, *_ in (c.split(":") for c in jvm.LIBRARIES["androidx"])
    }
    assert versions["activity"] == compiled_against["activity"]
    assert versions["core"] == compiled_against["core"]


def test_the_wrapper_downloads_what_its_hash_says(project: Project):
    text = (project.path / "gradle/wrapper/gradle-wrapper.properties").read_text()
    assert "gradle-9.6.0-bin.zip" in text
    assert re.search(r"^distributionSha256Sum=[0-9a-f]{64}$", text, re.MULTILINE)
