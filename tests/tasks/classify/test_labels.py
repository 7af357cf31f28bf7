from __future__ import annotations

from pathlib import Path

import pytest

from mobileq.errors import InputError, MobileqError, UsageError
from mobileq.tasks.classify.labels import ClassTruth, read_truth

NAMES = ("tabby, tabby cat", "dog", "red fox")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Pictures of three classes; nobody looks into them here."""
    for name in ("dog/a.png", "dog/b.png", "Red_Fox/deep/c.png", "tabby/a.png"):
        path = tmp_path / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    return tmp_path / "val"


def _classes(truth: ClassTruth) -> dict[str, int | None]:
    return {
        f"{path.parent.name}/{path.name}": truth.class_ids[key][0] for key, path in truth.images
    }


WANTED = {"dog/a.png": 1, "dog/b.png": 1, "deep/c.png": 2, "tabby/a.png": 0}


def test_folders_are_named_as_classes(folders: Path) -> None:
    truth = read_truth(folders, None, [NAMES])
    assert _classes(truth) == WANTED
    assert [key for key, _ in truth.images] == [0, 1, 2, 3]
    assert truth.content == [truth.class_ids[key][0] for key in range(4)]
    assert truth.notices == ()
    assert _classes(read_truth(folders, folders, [NAMES])) == WANTED
    assert _classes(read_truth(folders, folders / "tabby", [NAMES])) == {"tabby/a.png": 0}


def test_folders_may_be_numbers(folders: Path) -> None:
    for at, name in enumerate(("tabby", "dog", "Red_Fox")):
        (folders / name).rename(folders / str(at))
    truth = read_truth(folders, None, [NAMES])
    assert sorted(truth.class_ids.values()) == [(0,), (1,), (1,), (2,)]


def test_as_many_other_names_are_taken_in_their_order_and_it_is_told(folders: Path) -> None:
    truth = read_truth(folders, None, [("class 0", "class 1", "class 2")])
    assert _classes(truth) == {"deep/c.png": 0, "dog/a.png": 1, "dog/b.png": 1, "tabby/a.png": 2}
    assert truth.notices == (
        f"The classes of {folders} are taken for the model's, in their order.",
    )


@pytest.mark.parametrize("names", [("tabby", "dog", "hen"), ("a", "b"), ("a", "b", "c", "d")])
def test_label_that_is_no_class_is_refused(folders: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"Red_Fox.*none of the model's \d classes"):
        read_truth(folders, None, [names])


def test_picture_in_no_folder_of_a_class_is_refused(folders: Path, tmp_path: Path) -> None:
    (folders / "stray.png").write_bytes(b"picture")
    with pytest.raises(InputError, match=r"stray.png is in no folder of a class"):
        read_truth(folders, None, [NAMES])
    with pytest.raises(InputError, match="is in no folder of a class"):
        read_truth(folders / "dog", tmp_path / "val" / "tabby", [NAMES])


@pytest.mark.parametrize("head", ["", "file,label\n", "\ufeffFile,Label,score\n"])
def test_csv_names_files_and_classes(folders: Path, tmp_path: Path, head: str) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(head + 'tabby/a.png,"tabby, tabby cat"\nb.png, dog\n\nc.png,2\nx.png,dog\n')
    truth = read_truth(labels, folders, [NAMES])
    assert _classes(truth) == {"tabby/a.png": 0, "dog/b.png": 1, "deep/c.png": 2}
    assert truth.notices == (
        f"1 labelled pictures are not in {folders}: x.png.",
        f"1 pictures of {folders} have no label and are left out.",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no labels"),
        ("file,label\n", "holds no labels"),
        ("b.png\n", "no file and label in line 1"),
        ("b.png,dog\nb.png,dog\n", "'b.png' again in line 2"),
        ("b.png,hen\n", "has hen, which is none"),
        ("a.png,dog\n", "None of the 1 pictures"),  # two have that name
        ("y.png,dog\n", "None of the 1 pictures"),
    ],
)
def test_csv_that_cannot_be_used_is_a_sentence(
    folders: Path, tmp_path: Path, text: str, why: str
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    with pytest.raises(InputError, match=why):
        read_truth(labels, folders, [NAMES])


def test_csv_of_bytes_that_are_no_text_is_a_sentence(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00,dog")
    with pytest.raises(InputError, match="is no CSV"):
        read_truth(tmp_path / "labels.csv", folders, [NAMES])


def test_data_yaml_names_the_split_and_the_classes(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("val: val\nnames: [tabby, dog, red fox]\n")
    (folders / "Red_Fox/deep/c.png").rename(folders / "Red_Fox/c.png")
    truth = read_truth(tmp_path / "data.yaml", None, [NAMES])
    assert sorted(truth.class_ids.values()) == [(0,), (1,), (1,), (2,)]


def test_what_is_not_there_is_a_sentence(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("b.png,dog\n")
    (tmp_path / "labels.json").write_text("{}")
    for labels, images, kind in (
        (tmp_path / "none", None, UsageError),
        (folders, tmp_path / "none", UsageError),
        (tmp_path / "labels.csv", None, UsageError),
        (tmp_path / "labels.json", folders, InputError),
    ):
        with pytest.raises(MobileqError) as caught:
            read_truth(labels, images, [NAMES])
        assert type(caught.value) is kind
        assert caught.value.hint


def test_of_several_heads_a_table_has_a_label_for_each(folders: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,animal,age\ntabby/a.png,tabby,old\ndog/c.png,,young\n")
    heads = [NAMES, ("young", "old")]
    truth = read_truth(labels, folders, heads)
    assert [truth.class_ids[key] for key, _ in truth.images] == [(None, 3), (0, 4)]
    assert truth.content == [[None, 3], [0, 4]]
    with pytest.raises(UsageError, match="one label for a picture") as refused:
        read_truth(folders, None, heads)
    assert "file,label,label" in str(refused.value.hint)
    labels.write_text("tabby/a.png,tabby\n")
    with pytest.raises(InputError, match="no file and 2 labels in line 1"):
        read_truth(labels, folders, heads)
