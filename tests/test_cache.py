"""The cache gives back what was put, or nothing, and never gets in the way."""

import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobileq.cache import ResultCache
from mobileq.errors import UsageError
from mobileq.spec import QuantRecipe


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ResultCache]:
    with ResultCache(tmp_path / "cache") as opened:
        yield opened


def store(cache: ResultCache, name: str, content: bytes = b"result") -> str:
    key = cache.key("test", name=name)
    with cache.put(key) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(content)
    return key


def entry_files(cache: ResultCache) -> list[Path]:
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def test_entry_is_given_back(cache: ResultCache) -> None:
    key = store(cache, "a", b"content")
    found = cache.get(key)
    assert found is not None
    assert (found / "deep" / "file").read_bytes() == b"content"
    assert cache.get(cache.key("test", name="b")) is None
    assert cache.notice is None


def test_entry_outlives_the_process(tmp_path: Path) -> None:
    with ResultCache(tmp_path) as first:
        key = store(first, "a")
    with ResultCache(tmp_path) as second:
        assert second.get(key) is not None


def test_key_depends_on_every_part_and_not_on_their_order(cache: ResultCache) -> None:
    recipe = QuantRecipe(precision="int8", keep_float=("a",))
    key = cache.key("convert", recipe=recipe, count=3, extra={"b": 1, "a": [1.5, None]})
    assert key == cache.key("convert", extra={"a": [1.5, None], "b": 1}, count=3, recipe=recipe)
    others = {
        cache.key("convert2", recipe=recipe, count=3, extra={"b": 1, "a": [1.5, None]}),
        cache.key("convert", recipe=recipe, count=4, extra={"b": 1, "a": [1.5, None]}),
        cache.key("convert", recipe=recipe, count=3, extra={"b": 1, "a": [None, 1.5]}),
        cache.key("convert", recipe=QuantRecipe(precision="int8"), count=3, extra={}),
    }
    assert len(others | {key}) == 5


def test_key_is_the_same_in_another_process(cache: ResultCache) -> None:
    program = (
        "from mobileq.cache import ResultCache;"
        "print(ResultCache(enabled=False).key('s', names={'x', 'y', 'z'}, n=1))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in "123"
    }
    assert keys == {cache.key("s", names={"x", "y", "z"}, n=1)}


def test_key_refuses_paths(cache: ResultCache) -> None:
    with pytest.raises(TypeError, match="model is a path"):
        cache.key("convert", model=Path("m.onnx"))
    with pytest.raises(TypeError):
        cache.key("convert", models=[Path("m.onnx")])


@pytest.mark.parametrize("key", ["", "../../x", "A" * 64, "0" * 63])
def test_text_that_is_no_key_is_refused(cache: ResultCache, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        cache.get(key)


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: (files / "deep" / "file").write_bytes(b"resulT"),
        lambda files: (files / "deep" / "file").write_bytes(b""),
        lambda files: (files / "deep" / "file").unlink(),
        lambda files: (files / "more").write_bytes(b""),
        lambda files: shutil.rmtree(files),
        lambda files: (files.parent / "entry.json").write_bytes(b"{"),
        lambda files: (files.parent / "entry.json").write_bytes(b"\xff\x00"),
        lambda files: (files.parent / "entry.json").unlink(),
    ],
)
def test_damaged_entry_is_dropped_and_made_again(tmp_path: Path, damage: object) -> None:
    with ResultCache(tmp_path) as first:
        key = store(first, "a")
        found = first.get(key)
    assert found is not None
    assert callable(damage)
    damage(found)
    with ResultCache(tmp_path) as second:
        assert second.get(key) is None
        store(second, "a")
        found = second.get(key)
        assert found is not None
        assert (found / "deep" / "file").read_bytes() == b"result"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_entry_is_not_kept(cache: ResultCache, error: type[BaseException]) -> None:
    key = cache.key("test")

    def interrupted() -> None:
        with cache.put(key) as folder:
            (folder / "half").write_bytes(b"")
            raise error

    with pytest.raises(error):
        interrupted()
    assert cache.get(key) is None
    assert entry_files(cache) == []


def test_entries_used_longest_ago_go_first(tmp_path: Path) -> None:
    with ResultCache(tmp_path, max_bytes=250) as writing:
        keys = [store(writing, name, b"x" * 100) for name in "ab"]
    for age, index in enumerate(sorted(tmp_path.rglob("entry.json"))):
        os.utime(index, (age, age))
    with ResultCache(tmp_path, max_bytes=250) as reading:
        assert reading.get(keys[0]) is not None
    with ResultCache(tmp_path, max_bytes=250) as writing:
        keys.append(store(writing, "c", b"x" * 100))
        assert [writing.get(key) is not None for key in keys] == [True, False, True]
        assert writing.notice is None


def test_result_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    with ResultCache(tmp_path, max_bytes=99) as cache:
        key = store(cache, "a", b"x" * 100)
        assert cache.get(key) is None
        assert cache.notice is not None
        assert "100 bytes is not cached" in cache.notice
        assert cache.get(store(cache, "b", b"x" * 99)) is not None


def test_entry_in_use_is_not_evicted(tmp_path: Path) -> None:
    with ResultCache(tmp_path, max_bytes=150) as other:
        kept = store(other, "a", b"x" * 100)
        with ResultCache(tmp_path, max_bytes=150) as reader:
            found = reader.get(kept)
            store(other, "b", b"x" * 100)
            assert found is not None
            assert (found / "deep" / "file").read_bytes() == b"x" * 100
        store(other, "c", b"x" * 100)
        assert not found.exists()


def test_fetch_makes_once_and_copies_after(cache: ResultCache, tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "result").write_bytes(b"1")

    for name, cached in (("first", False), ("second", True)):
        (tmp_path / name).mkdir()
        assert cache.fetch(cache.key("s"), tmp_path / name, make) is cached
        assert (tmp_path / name / "result").read_bytes() == b"1"
    assert made == [tmp_path / "first"]


def test_disabled_cache_keeps_nothing(tmp_path: Path) -> None:
    for cache in (ResultCache(tmp_path, enabled=False), ResultCache(tmp_path, max_bytes=0)):
        assert cache.get(store(cache, "a")) is None
        assert cache.notice is None
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("folder", ["file/cache", "/proc/mobileq-cache"])
def test_folder_that_cannot_be_written_turns_the_cache_off(tmp_path: Path, folder: str) -> None:
    if folder.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("needs a folder nobody can write to")
    (tmp_path / "file").write_text("")
    with ResultCache(tmp_path / folder) as cache:
        assert cache.get(cache.key("s")) is None
        assert cache.get(store(cache, "a")) is None
        assert cache.notice is not None
        assert cache.notice.startswith(f"Nothing more is cached in {tmp_path / folder}: ")

        (tmp_path / "out").mkdir()
        fetched = cache.fetch(cache.key("s"), tmp_path / "out", lambda to: (to / "r").mkdir())
        assert not fetched
        assert os.listdir(tmp_path / "out") == ["r"]


def test_full_cache_disk_does_not_fail_the_command(tiny_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with ResultCache(tiny_disk / "cache") as cache:
        key = cache.key("big")
        cache.fetch(
            key, tmp_path / "out", lambda to: (to / "r").write_bytes(b"x" * 100_000) and None
        )
        assert (tmp_path / "out" / "r").stat().st_size == 100_000
        assert cache.notice is not None
        assert "No space left on device" in cache.notice
        assert cache.get(key) is None
        assert entry_files(cache) == []


def test_cache_that_fails_while_reading_is_made_up_for(
    cache: ResultCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store(cache, "a")
    destination = tmp_path / "out"
    destination.mkdir()

    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(shutil, "copystat", failing)
    cache.fetch(key, destination, lambda to: (to / "made").mkdir())
    assert os.listdir(destination) == ["made"]


def test_environment_chooses_folder_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBILEQ_CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("MOBILEQ_CACHE_MAX_MB", "3")
    cache = ResultCache()
    assert (cache.folder, cache.max_bytes) == (tmp_path / "elsewhere", 3_000_000)
    assert ResultCache(tmp_path, max_bytes=5).max_bytes == 5
    monkeypatch.setenv("MOBILEQ_CACHE_MAX_MB", "0")
    assert not ResultCache().enabled


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "٣", "9" * 400])
def test_size_that_is_no_number_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("MOBILEQ_CACHE_MAX_MB", text)
    with pytest.raises(UsageError, match="MOBILEQ_CACHE_MAX_MB"):
        ResultCache()


def use_heavily(folder: Path, seed: int) -> None:
    """Put and get entries that many processes share, in a cache that holds few of them."""
    for turn in range(30):
        number = (turn * 7 + seed) % 6
        content = bytes([number]) * 2000
        with ResultCache(folder, max_bytes=7000) as cache:
            key = cache.key("shared", number=number)
            found = cache.get(key)
            if found is None:
                with cache.put(key) as made:
                    (made / "a").write_bytes(content)
                    (made / "b").write_bytes(content[::2])
                continue
            assert (found / "a").read_bytes() == content
            assert (found / "b").read_bytes() == content[::2]


def test_processes_share_a_cache(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=use_heavily, args=(tmp_path, seed)) for seed in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0, 0]
    with ResultCache(tmp_path, max_bytes=7000) as cache:
        store(cache, "last")
        sizes = sum(path.stat().st_size for path in tmp_path.rglob("files/**/*") if path.is_file())
        assert 0 < sizes <= 7000
        assert cache.notice is None
    assert [name for name in os.listdir(tmp_path / "v1") if name.startswith(".")] == []


def die_while_putting(folder: Path) -> None:
    cache = ResultCache(folder)
    with cache.put(cache.key("s")) as made:
        (made / "half").write_bytes(b"")
        os.kill(os.getpid(), signal.SIGKILL)


def test_folder_of_a_killed_process_is_cleared(tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(target=die_while_putting, args=(tmp_path,))
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert list(tmp_path.rglob("half"))
    with ResultCache(tmp_path) as cache:
        assert cache.get(cache.key("s")) is None
        store(cache, "a")
    assert not list(tmp_path.rglob("half"))


def test_importing_the_cache_does_not_import_numpy() -> None:
    program = "import sys, mobileq.cache; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_entry_that_is_consistent_and_wrong_is_made_again(cache, tmp_path):
    key = cache.key("stage", part=1)
    with cache.put(key) as folder:
        (folder / "number").write_text("seven")

    def read(folder):
        return int((folder / "number").read_text())

    def make(folder):
        (folder / "number").write_text("8")

    for kept, name in ((False, "first"), (True, "second")):
        (tmp_path / name).mkdir()
        assert cache.fetch(key, tmp_path / name, make, read) is kept
        assert read(tmp_path / name) == 8
