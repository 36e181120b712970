"""Data sets: sizes, order, split, and every complaint about a bad file."""

import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cosim import data
from cosim.data import SHAPES, Data, DataError, DataShape, list_data, load_data

MNIST_FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "mnist"
SMALL = DataShape("mnist", (28, 28, 1), 10, 6, 4)
IMAGE_FILE, LABEL_FILE = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
MNIST_WHERE, FASHION_WHERE = "yann.lecun.com/exdb/mnist", "github.com/zalandoresearch/fashion-mnist"


def idx_bytes(values: np.ndarray, magic: int | None = None) -> bytes:
    """Return an IDX file of unsigned bytes."""
    header = [magic if magic is not None else 2048 + values.ndim, *values.shape]
    return np.array(header, dtype=">u4").tobytes() + values.astype(np.uint8).tobytes()


def small_arrays() -> dict[str, np.ndarray]:
    """Return six training and four test samples under their original file names."""
    generator = np.random.Generator(np.random.PCG64(7))
    arrays: dict[str, np.ndarray] = {}
    for prefix, count in (("train", 6), ("t10k", 4)):
        arrays[f"{prefix}-images-idx3-ubyte"] = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = np.arange(count, dtype=np.uint8) + 4
    return arrays


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four good small IDX files."""
    for name, values in small_arrays().items():
        (tmp_path / name).write_bytes(idx_bytes(values))
    return tmp_path


def complaint(folder: Path | None, shape: DataShape = SMALL) -> str:
    """Return the message that reading a folder ends in; it is one paragraph."""
    with pytest.raises(DataError) as caught:
        data._read_idx_folder(folder, shape)
    message = str(caught.value)
    assert "\n" not in message
    return message


def expect(message: str, *parts: str | Path) -> None:
    """Check that a message has every part and says where to get MNIST."""
    for part in (*parts, MNIST_WHERE):
        assert str(part) in message


# Shapes and the list


def test_shapes_are_those_of_the_published_sets() -> None:
    assert SHAPES == {
        "digits": DataShape("digits", (8, 8, 1), 10, 1437, 360),
        "mnist": DataShape("mnist", (28, 28, 1), 10, 60000, 10000),
        "fashion_mnist": DataShape("fashion_mnist", (28, 28, 1), 10, 60000, 10000),
    }


@pytest.mark.parametrize(
    ("sizes", "part"),
    [
        (((8, 0, 1), 10, 5, 5), "image_shape = (8, 0, 1)"),
        (((8, 8), 10, 5, 5), "image_shape = (8, 8)"),
        (((8, 8, 1), 1, 5, 5), "classes = 1"),
        (((8, 8, 1), 10, 0, 5), "train_samples = 0"),
        (((8, 8, 1), 10, 5, -1), "test_samples = -1"),
    ],
)
def test_impossible_shape_is_refused(sizes: tuple[tuple[int, int, int], int, int, int], part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        DataShape("odd", *sizes)


def test_list_names_shape_samples_licence_and_origin() -> None:
    rows = {row.name: row for row in list_data()}
    assert list(rows) == list(SHAPES)
    assert rows["digits"].shape == "8x8x1, 10 classes"
    assert rows["digits"].samples == "1437 train, 360 test"
    assert rows["digits"].licence == "CC BY 4.0"
    assert "10.24432/C50P49" in rows["digits"].where
    assert rows["mnist"].samples == "60000 train, 10000 test"
    assert MNIST_WHERE in rows["mnist"].where
    assert "CVDF" in rows["mnist"].where
    assert rows["fashion_mnist"].licence == "MIT"
    assert FASHION_WHERE in rows["fashion_mnist"].where


# Digits


@pytest.fixture(scope="module")
def digits() -> Data:
    """Return all digits with seed 1."""
    return load_data("digits", None, seed=1)


def rows_of(images: np.ndarray) -> set[bytes]:
    """Return the images as a set of byte strings; all 1,797 digits differ."""
    return {image.tobytes() for image in images}


def test_digits_file_is_the_original_text() -> None:
    packed = data._DIGITS_FILE.read_bytes()
    assert hashlib.sha256(packed).hexdigest() == data._DIGITS_SHA256
    original = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == original


def test_digits_readme_has_both_hashes() -> None:
    packed = data._DIGITS_FILE.read_bytes()
    text = data._DIGITS_FILE.with_name("README.md").read_text(encoding="utf-8")
    assert data._DIGITS_SHA256 in text
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() in text
    assert f"{len(packed):,} bytes" in text


def test_digits_sizes_types_and_range(digits: Data) -> None:
    assert digits.shape is SHAPES["digits"]
    assert digits.train_images.shape == (1437, 8, 8, 1)
    assert digits.test_images.shape == (360, 8, 8, 1)
    for images in (digits.train_images, digits.test_images):
        assert images.dtype == np.float32
        assert images.min() == 0.0
        assert images.max() == 1.0
        np.testing.assert_array_equal(images * 16, np.round(images * 16))
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int64


def test_digits_counts_per_class(digits: Data) -> None:
    train, test = np.bincount(digits.train_labels), np.bincount(digits.test_labels)
    assert (train + test).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert test.tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]


def test_digits_first_image_of_the_file_is_the_first_test_image(digits: Data) -> None:
    first_row = [0, 0, 5, 13, 9, 1, 0, 0]
    assert (digits.test_images[0, 0, :, 0] * 16).tolist() == first_row
    assert digits.test_labels[0] == 0


def test_digits_split_is_disjoint_complete_and_independent_of_the_seed(digits: Data) -> None:
    train, test = rows_of(digits.train_images), rows_of(digits.test_images)
    assert len(train) == 1437
    assert len(test) == 360
    assert not train & test
    other = load_data("digits", None, seed=2)
    assert rows_of(other.train_images) == train
    np.testing.assert_array_equal(other.test_images, digits.test_images)
    np.testing.assert_array_equal(other.test_labels, digits.test_labels)


def test_first_samples_of_a_larger_request_are_the_smaller_request(digits: Data) -> None:
    for count in (1, 100, 1437):
        fewer = load_data("digits", None, train_samples=count, seed=1)
        np.testing.assert_array_equal(fewer.train_images, digits.train_images[:count])
        np.testing.assert_array_equal(fewer.train_labels, digits.train_labels[:count])


def test_different_seeds_order_differently(digits: Data) -> None:
    other = load_data("digits", None, train_samples=100, seed=2)
    assert not np.array_equal(other.train_labels, digits.train_labels[:100])


def test_train_order_is_a_permutation_and_stays_as_it_is() -> None:
    order = data._train_order(1437, 1)
    np.testing.assert_array_equal(np.sort(order), np.arange(1437))
    assert order[:8].tolist() == [679, 619, 515, 863, 1415, 1151, 212, 677]


def test_test_samples_are_the_first_in_original_order(digits: Data) -> None:
    fewer = load_data("digits", None, test_samples=50, seed=3)
    np.testing.assert_array_equal(fewer.test_images, digits.test_images[:50])
    np.testing.assert_array_equal(fewer.test_labels, digits.test_labels[:50])


def test_digits_ignore_the_path(digits: Data) -> None:
    with_path = load_data("digits", Path("no", "such", "folder"), seed=1)
    np.testing.assert_array_equal(with_path.train_images, digits.train_images)


def test_changed_digits_file_is_refused_with_both_hashes(tmp_path: Path) -> None:
    changed = tmp_path / "digits.csv.gz"
    changed.write_bytes(data._DIGITS_FILE.read_bytes() + b"\0")
    found = hashlib.sha256(changed.read_bytes()).hexdigest()
    with pytest.raises(DataError) as caught:
        data._read_digits(changed)
    for part in (str(changed), data._DIGITS_SHA256, found):
        assert part in str(caught.value)


def test_missing_digits_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"digits\.csv\.gz: expected .*cannot be read \(No such file"):
        data._read_digits(tmp_path / "digits.csv.gz")


# Arguments


def test_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'fashion-mnist' is unknown; nearest: 'fashion_mnist'; known: "):
        load_data("fashion-mnist", None, seed=1)
    with pytest.raises(DataError, match="'zzz' is unknown; known: digits, mnist, fashion_mnist"):
        load_data("zzz", None, seed=1)


@pytest.mark.parametrize("wanted", [1438, 0, -5])
def test_impossible_number_of_training_samples_is_refused(wanted: int) -> None:
    with pytest.raises(DataError, match=rf"data\.train_samples = {wanted} is not allowed: digits has 1437"):
        load_data("digits", None, train_samples=wanted, seed=1)


def test_too_many_samples_are_refused_before_any_file_is_read() -> None:
    with pytest.raises(DataError, match=r"data\.train_samples = 60001 is not allowed: mnist has 60000"):
        load_data("mnist", None, train_samples=60001, seed=1)
    with pytest.raises(DataError, match=r"data\.test_samples = 361 is not allowed: digits has 360"):
        load_data("digits", None, test_samples=361, seed=1)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(DataError, match="seed = -1 is not allowed"):
        load_data("digits", None, seed=-1)


# IDX files: what is accepted


def as_is(content: bytes) -> bytes:
    """Return the content itself."""
    return content


@pytest.mark.parametrize(("ending", "pack"), [("", as_is), (".gz", gzip.compress)])
@pytest.mark.parametrize("dot", ["-", "."])
def test_every_spelling_is_read(tmp_path: Path, dot: str, ending: str, pack: Callable[[bytes], bytes]) -> None:
    arrays = small_arrays()
    for name, values in arrays.items():
        (tmp_path / (name.replace("-idx", dot + "idx") + ending)).write_bytes(pack(idx_bytes(values)))
    samples = data._read_idx_folder(tmp_path, SMALL)
    for read, written in zip(samples, arrays.values(), strict=True):
        np.testing.assert_array_equal(read, written)


def test_plain_file_is_preferred(folder: Path) -> None:
    (folder / f"{IMAGE_FILE}.gz").write_bytes(b"never read")
    samples = data._read_idx_folder(folder, SMALL)
    np.testing.assert_array_equal(samples.train_images, small_arrays()[IMAGE_FILE])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_images_are_shuffled_and_scaled(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, name, DataShape(name, (28, 28, 1), 10, 6, 4))
    loaded = load_data(name, folder, train_samples=5, test_samples=3, seed=1)
    arrays, order = small_arrays(), data._train_order(6, 1)[:5]
    expected = arrays[IMAGE_FILE][order][..., np.newaxis].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(loaded.train_images, expected)
    np.testing.assert_array_equal(loaded.train_labels, arrays[LABEL_FILE][order])
    assert loaded.train_images.dtype == np.float32
    assert loaded.train_images.max() <= 1.0
    assert loaded.test_images.shape == (3, 28, 28, 1)
    assert loaded.test_labels.tolist() == [4, 5, 6]


def test_full_scale_is_exactly_one() -> None:
    assert data._scale(np.full((1, 2, 2), 255, dtype=np.uint8), 255).max() == np.float32(1)


# IDX files: what is refused


def test_path_not_given() -> None:
    expect(complaint(None), "data.path is not given", '"mnist" is not embedded', "CVDF")
    with pytest.raises(DataError, match=re.escape(FASHION_WHERE)):
        load_data("fashion_mnist", None, seed=1)


def test_missing_folder(tmp_path: Path) -> None:
    expect(complaint(tmp_path / "none"), tmp_path / "none", "no readable folder (No such file or directory)")


def test_folder_is_a_file(folder: Path) -> None:
    expect(complaint(folder / IMAGE_FILE), "no readable folder (Not a directory)")


def test_folder_name_that_no_system_takes() -> None:
    expect(complaint(Path("a\0b")), "no readable folder", "null")


def test_empty_folder(tmp_path: Path) -> None:
    expect(complaint(tmp_path), tmp_path / IMAGE_FILE, "an empty folder")


@pytest.mark.parametrize("name", list(small_arrays()))
def test_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    spelt = name.replace("-idx", ".idx")
    expect(complaint(folder), folder / name, f"{spelt}, {name}.gz, {spelt}.gz", "no such file in the folder")


@pytest.mark.parametrize("name", [IMAGE_FILE, LABEL_FILE])
def test_empty_file(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    expect(complaint(folder), folder / name, "an IDX header of", "found nothing (it is empty)")


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")])
def test_empty_gzip_file(folder: Path, content: bytes) -> None:
    packed = (folder / IMAGE_FILE).rename(folder / f"{IMAGE_FILE}.gz")
    packed.write_bytes(content)
    expect(complaint(folder), packed, "found nothing (it is empty)")


def test_directory_in_place_of_a_file(folder: Path) -> None:
    (folder / IMAGE_FILE).unlink()
    (folder / IMAGE_FILE).mkdir()
    expect(complaint(folder), folder / IMAGE_FILE, "cannot be read (it is a directory)")


def test_dangling_link(folder: Path) -> None:
    (folder / IMAGE_FILE).unlink()
    (folder / IMAGE_FILE).symlink_to(folder / "nowhere")
    expect(complaint(folder), folder / IMAGE_FILE, "cannot be read (No such file or directory)")


def test_device_in_place_of_a_file(folder: Path) -> None:
    (folder / IMAGE_FILE).unlink()
    (folder / IMAGE_FILE).symlink_to("/dev/zero")
    expect(complaint(folder), folder / IMAGE_FILE, "cannot be read (it is not a regular file)")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_file_without_permission(folder: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulated: the file mode does not stop a superuser, who may run this test.
    file = (folder / IMAGE_FILE).rename(folder / (IMAGE_FILE + ending))

    def refuse(self: Path, *_args: object, **_keywords: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    expect(complaint(folder), file, "cannot be read (Permission denied)")


@pytest.mark.parametrize("keep", [5, 200, -1])
def test_truncated_gzip(folder: Path, keep: int) -> None:
    packed = (folder / IMAGE_FILE).rename(folder / f"{IMAGE_FILE}.gz")
    packed.write_bytes(gzip.compress(packed.read_bytes())[:keep])
    expect(complaint(folder), packed, "expected a gzip file", "it is truncated")


def corrupt_body(packed: bytes) -> bytes:
    """Return a gzip file with an impossible block type in its body."""
    return packed[:10] + b"\xff" * 8 + packed[18:]


def corrupt_checksum(packed: bytes) -> bytes:
    """Return a gzip file with another check sum."""
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (corrupt_body, "invalid block type"),
        (corrupt_checksum, "CRC check failed"),
        (gzip.decompress, "Not a gzipped file"),
        (lambda packed: packed + b"surplus", "Not a gzipped file"),
    ],
)
def test_corrupt_gzip(folder: Path, spoil: Callable[[bytes], bytes], part: str) -> None:
    packed = (folder / IMAGE_FILE).rename(folder / f"{IMAGE_FILE}.gz")
    packed.write_bytes(spoil(gzip.compress(packed.read_bytes())))
    expect(complaint(folder), packed, "cannot be unpacked", part, "an unpacked file must not end in .gz")


@pytest.mark.parametrize(("name", "right", "wrong"), [(IMAGE_FILE, 2051, 2049), (LABEL_FILE, 2049, 2051)])
def test_wrong_magic(folder: Path, name: str, right: int, wrong: int) -> None:
    (folder / name).write_bytes(idx_bytes(small_arrays()[name], magic=wrong))
    expect(complaint(folder), folder / name, f"magic number {right}", f"found {wrong} (bytes 00 00 08 0")


def test_web_page_in_place_of_a_file(folder: Path) -> None:
    (folder / IMAGE_FILE).write_bytes(b"<html>Forbidden</html>" * 9)
    expect(complaint(folder), "magic number 2051 (IDX images)", "(bytes 3c 68 74 6d)")


def test_gzip_file_without_its_ending(folder: Path) -> None:
    (folder / IMAGE_FILE).write_bytes(gzip.compress((folder / IMAGE_FILE).read_bytes()))
    expect(complaint(folder), folder / IMAGE_FILE, "a gzip file whose name lacks .gz")


@pytest.mark.parametrize("name", [IMAGE_FILE, LABEL_FILE])
def test_truncated_header(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:7])
    expect(complaint(folder), folder / name, "an IDX header of", "found 7 bytes")


@pytest.mark.parametrize(("name", "total"), [(IMAGE_FILE, 16 + 6 * 784), (LABEL_FILE, 8 + 6)])
def test_truncated_body(folder: Path, name: str, total: int) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    expect(complaint(folder), folder / name, f"expected {total} bytes", f"found {total - 1}: it is truncated")


@pytest.mark.parametrize("pack", [as_is, gzip.compress])
@pytest.mark.parametrize(("name", "total"), [(IMAGE_FILE, 16 + 6 * 784), (LABEL_FILE, 8 + 6)])
def test_surplus_bytes(folder: Path, name: str, total: int, pack: Callable[[bytes], bytes]) -> None:
    content = (folder / name).read_bytes() + b"\0"
    (folder / name).unlink()
    file = folder / (name if pack is as_is else f"{name}.gz")
    file.write_bytes(pack(content))
    expect(complaint(folder), file, f"expected {total} bytes", "surplus bytes at its end")


@pytest.mark.parametrize(("name", "kind"), [(IMAGE_FILE, "images"), (LABEL_FILE, "labels")])
@pytest.mark.parametrize("count", [5, 7])
def test_wrong_count(folder: Path, name: str, kind: str, count: int) -> None:
    values = np.resize(small_arrays()[name], (count, *small_arrays()[name].shape[1:]))
    (folder / name).write_bytes(idx_bytes(values))
    expect(complaint(folder), folder / name, f"expected 6 {kind}", f"found {count} in its header")


def test_wrong_count_of_the_public_sizes(folder: Path) -> None:
    with pytest.raises(DataError, match="expected 60000 images; found 6 in its header"):
        load_data("mnist", folder, seed=1)


def test_wrong_image_size(folder: Path) -> None:
    (folder / IMAGE_FILE).write_bytes(idx_bytes(np.zeros((6, 32, 30), dtype=np.uint8)))
    expect(complaint(folder), folder / IMAGE_FILE, "images of 28x28 pixels", "found 32x30 in its header")


def test_label_out_of_range(folder: Path) -> None:
    (folder / LABEL_FILE).write_bytes(idx_bytes(np.array([0, 1, 9, 10, 255, 2])))
    expect(complaint(folder), folder / LABEL_FILE, "expected labels 0 to 9", "found label 10 at sample 3")


# The original files


@pytest.mark.skipif(not MNIST_FOLDER.is_dir(), reason="needs the MNIST files in ../shared/data/mnist")
def test_mnist_as_published() -> None:
    loaded = load_data("mnist", MNIST_FOLDER, seed=1)
    assert loaded.train_images.shape == (60000, 28, 28, 1)
    assert loaded.test_images.shape == (10000, 28, 28, 1)
    for images in (loaded.train_images, loaded.test_images):
        assert images.dtype == np.float32
        assert images.min() == 0.0
        assert images.max() == 1.0
    train, test = np.bincount(loaded.train_labels), np.bincount(loaded.test_labels)
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert loaded.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
