"""Data sets: what each one looks like, where it comes from, and how it is read and checked.

`digits` lies inside the package. `mnist` and `fashion_mnist` are read from the four original IDX files in a
folder that the user names. Nothing is ever downloaded. Every complaint about data is a `DataError`: one
paragraph that says which file, what was expected, what was found and where to get it.
"""

import gzip
import hashlib
import io
import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from device_models.names import unknown_name

__all__ = ["SHAPES", "Data", "DataError", "DataRow", "DataShape", "list_data", "load_data"]

UInt8Array: TypeAlias = npt.NDArray[np.uint8]
Float32Array: TypeAlias = npt.NDArray[np.float32]
Int64Array: TypeAlias = npt.NDArray[np.int64]


class DataError(ValueError):
    """Data that are missing, unreadable or not what they claim to be; the message is one paragraph."""


@dataclass(frozen=True)
class DataShape:
    """Size of a data set; enough to price a design without reading a sample.

    Parameters
    ----------
    name
        Name in a study file, ``data.name``.
    image_shape
        Height, width and channels of one image [pixel, pixel, 1]; each at least 1.
    classes
        Number of classes; labels are 0 … classes - 1; at least 2.
    train_samples
        Number of training samples of the whole set; at least 1.
    test_samples
        Number of test samples of the whole set; at least 1.
    """

    name: str
    image_shape: tuple[int, int, int]
    classes: int
    train_samples: int
    test_samples: int

    def __post_init__(self) -> None:
        """Refuse sizes that no data set can have."""
        if len(self.image_shape) != 3 or min(self.image_shape) < 1:
            raise ValueError(
                f"DataShape {self.name!r}: image_shape = {self.image_shape} is not allowed; "
                "give (height, width, channels), each at least 1"
            )
        if self.classes < 2:
            raise ValueError(f"DataShape {self.name!r}: classes = {self.classes} is not allowed; at least 2")
        if min(self.train_samples, self.test_samples) < 1:
            raise ValueError(
                f"DataShape {self.name!r}: train_samples = {self.train_samples} and test_samples = "
                f"{self.test_samples} are not allowed; each at least 1"
            )


@dataclass(frozen=True, eq=False)
class Data:
    """Images and labels, ready for training.

    Parameters
    ----------
    train_images
        Training images (samples, height, width, channels), float32 in [0, 1].
    train_labels
        Class of each training image (samples,), int64 in 0 … classes - 1.
    test_images
        Test images (samples, height, width, channels), float32 in [0, 1].
    test_labels
        Class of each test image (samples,), int64 in 0 … classes - 1.
    shape
        The whole set that the samples come from; its sample counts stay those of the whole set where fewer
        samples were asked for.
    """

    train_images: Float32Array
    train_labels: Int64Array
    test_images: Float32Array
    test_labels: Int64Array
    shape: DataShape


class DataRow(NamedTuple):
    """One line of ``cosim list data``; every field is text to show."""

    name: str
    shape: str
    samples: str
    licence: str
    where: str


class _Origin(NamedTuple):
    """Licence of a data set and the place to get it from."""

    licence: str
    where: str


class _Samples(NamedTuple):
    """A whole data set in its original order: images (n, height, width) and labels (n,), both uint8."""

    train_images: UInt8Array
    train_labels: UInt8Array
    test_images: UInt8Array
    test_labels: UInt8Array


SHAPES: dict[str, DataShape] = {
    shape.name: shape
    for shape in (
        DataShape("digits", (8, 8, 1), 10, 1437, 360),
        DataShape("mnist", (28, 28, 1), 10, 60000, 10000),
        DataShape("fashion_mnist", (28, 28, 1), 10, 60000, 10000),
    )
}
"""Every known data set by name."""

_ORIGINS: dict[str, _Origin] = {
    "digits": _Origin(
        licence="CC BY 4.0",
        where="embedded; UCI Machine Learning Repository, DOI 10.24432/C50P49, file optdigits.tes",
    ),
    "mnist": _Origin(
        licence="none stated by its authors; commonly listed as CC BY-SA 3.0",
        where="yann.lecun.com/exdb/mnist (mirror: the CVDF, Common Visual Data Foundation, name `mnist`)",
    ),
    "fashion_mnist": _Origin(licence="MIT", where="github.com/zalandoresearch/fashion-mnist"),
}

_DIGITS_FILE = Path(__file__).with_name("datasets") / "digits.csv.gz"
_DIGITS_SHA256 = "02633070f0eba52475fb2cfaedcf256826aa2b6c462429e2e6d0826619fc55c9"
_DIGITS_FULL_SCALE = 16
_DIGITS_TEST_EVERY = 5

_IDX_FULL_SCALE = 255
_IDX_MAGIC_BY_RANK = {1: 2049, 3: 2051}

# Spawn key of the random stream that orders the training samples: the ASCII code of its label.
_TRAIN_ORDER_STREAM = int.from_bytes(b"data.train_order", "big")


def list_data() -> list[DataRow]:
    """Return one row of text per known data set, for ``cosim list data``.

    Returns
    -------
    list of DataRow
        Name, shape, samples, licence and where to get the files, in the order of `SHAPES`.
    """
    return [_describe(shape) for shape in SHAPES.values()]


def load_data(
    name: str,
    path: Path | None,
    *,
    train_samples: int | None = None,
    test_samples: int | None = None,
    seed: int,
) -> Data:
    """Read, check and scale a data set, and choose its samples.

    Training samples always come in a seeded order, also when all are asked for: a smaller request is the
    beginning of a larger one with the same seed. The order sorts one 64-bit key per sample, drawn raw from
    PCG64 seeded by ``SeedSequence(seed, spawn_key=(label,))``, where the label is the ASCII code of
    ``data.train_order``. NumPy guarantees the raw stream of PCG64 from one version to the next, but not the
    result of ``Generator.permutation``. Test samples keep their original order.

    The split of `digits` into 1,437 training and 360 test samples is fixed and independent of the seed: the
    1,797 images are ordered by class (stable, so each class keeps its file order) and every fifth, from the
    first, is a test sample. Each class is thus split four to one, to within one sample. Both halves hold the
    handwriting of the same 13 people, so the test accuracy says nothing about unseen writers.

    Parameters
    ----------
    name
        ``digits``, ``mnist`` or ``fashion_mnist``.
    path
        Folder of the four original IDX files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each plain or with ``.gz``, also spelt
        ``train-images.idx3-ubyte``; where several are present the plain file is read. Ignored for `digits`,
        which is embedded.
    train_samples
        Number of training samples, 1 to the size of the set; None: all.
    test_samples
        Number of test samples, the first of the original order, 1 to the size of the set; None: all.
    seed
        Seed of the training order, at least 0.

    Returns
    -------
    Data
        Images scaled to [0, 1] by the largest pixel value of the format (16 for `digits`, 255 for IDX).

    Raises
    ------
    DataError
        Where the name, a number or a file is not as described.

    Notes
    -----
    MNIST and Fashion-MNIST share file names and format: a folder of the one read as the other is not noticed.

    References
    ----------
    E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998, DOI 10.24432/C50P49.
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998,
    DOI 10.1109/5.726791.
    H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms, 2017, DOI 10.48550/arXiv.1708.07747.
    """
    shape = _find_shape(name)
    train_count = _check_count("train_samples", train_samples, shape.train_samples, name)
    test_count = _check_count("test_samples", test_samples, shape.test_samples, name)
    if seed < 0:
        raise DataError(f"seed = {seed} is not allowed; give a whole number, at least 0")
    if name == "digits":
        samples, full_scale = _read_digits(_DIGITS_FILE), _DIGITS_FULL_SCALE
    else:
        samples, full_scale = _read_idx_folder(path, shape), _IDX_FULL_SCALE
    chosen = _train_order(shape.train_samples, seed)[:train_count]
    return Data(
        train_images=_scale(samples.train_images[chosen], full_scale),
        train_labels=samples.train_labels[chosen].astype(np.int64),
        test_images=_scale(samples.test_images[:test_count], full_scale),
        test_labels=samples.test_labels[:test_count].astype(np.int64),
        shape=shape,
    )


def _describe(shape: DataShape) -> DataRow:
    """Return the row of one data set."""
    height, width, channels = shape.image_shape
    return DataRow(
        name=shape.name,
        shape=f"{height}x{width}x{channels}, {shape.classes} classes",
        samples=f"{shape.train_samples} train, {shape.test_samples} test",
        licence=_ORIGINS[shape.name].licence,
        where=_ORIGINS[shape.name].where,
    )


def _find_shape(name: str) -> DataShape:
    """Return the shape of a data set or name the nearest known one."""
    if name in SHAPES:
        return SHAPES[name]
    raise DataError(f"data.name = {name!r} {unknown_name(name, SHAPES)}")


def _check_count(key: str, wanted: int | None, available: int, name: str) -> int:
    """Return the number of samples to use, or refuse it with what there is."""
    if wanted is None:
        return available
    if not 1 <= wanted <= available:
        raise DataError(
            f"data.{key} = {wanted} is not allowed: {name} has {available}; "
            f"give 1 to {available}, or leave it out for all"
        )
    return wanted


def _train_order(count: int, seed: int) -> Int64Array:
    """Return the seeded order of the training samples."""
    sequence = np.random.SeedSequence(seed, spawn_key=(_TRAIN_ORDER_STREAM,))
    keys = np.random.PCG64(sequence).random_raw(count)
    return np.argsort(keys, kind="stable").astype(np.int64)


def _scale(images: UInt8Array, full_scale: int) -> Float32Array:
    """Return images (n, h, w) as (n, h, w, 1), float32 in [0, 1]."""
    return np.divide(images[..., np.newaxis], np.float32(full_scale), dtype=np.float32)


def _problem(file: Path, expected: str, found: str, where: str) -> DataError:
    """Return the one-paragraph complaint about a file."""
    return DataError(f"{file}: expected {expected}; found {found}. Get it from {where}.")


def _reason(error: Exception) -> str:
    """Return why the operating system refused, in one phrase."""
    return getattr(error, "strerror", None) or str(error)


def _read_digits(file: Path) -> _Samples:
    """Read the embedded digits, check the hash, and split them."""
    where = "a fresh copy of this package"
    expected = f"the embedded digits with SHA-256 {_DIGITS_SHA256}"
    try:
        packed = file.read_bytes()
    except OSError as error:
        raise _problem(file, expected, f"that it cannot be read ({_reason(error)})", where) from error
    digest = hashlib.sha256(packed).hexdigest()
    if digest != _DIGITS_SHA256:
        raise _problem(file, expected, f"SHA-256 {digest}: the file was changed", where)
    text = io.StringIO(gzip.decompress(packed).decode("ascii"))
    table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    test = _digits_test_mask(labels)
    return _Samples(images[~test], labels[~test], images[test], labels[test])


def _digits_test_mask(labels: UInt8Array) -> npt.NDArray[np.bool_]:
    """Mark every fifth sample of the order by class as a test sample."""
    mask = np.zeros(labels.size, dtype=np.bool_)
    mask[np.argsort(labels, kind="stable")[::_DIGITS_TEST_EVERY]] = True
    return mask


def _read_idx_folder(folder: Path | None, shape: DataShape) -> _Samples:
    """Read the four IDX files of a data set with the sizes of `shape`."""
    where = _ORIGINS[shape.name].where
    if folder is None:
        raise DataError(
            f'data.path is not given, and "{shape.name}" is not embedded: '
            f"expected the folder that holds its four IDX files. Get them from {where}."
        )
    folder = Path(folder)
    names = _list_folder(folder, where)
    height, width, _ = shape.image_shape
    parts: list[UInt8Array] = []
    for prefix, count in (("train", shape.train_samples), ("t10k", shape.test_samples)):
        image_file = _find_idx_file(folder, names, f"{prefix}-images", "idx3-ubyte", where)
        label_file = _find_idx_file(folder, names, f"{prefix}-labels", "idx1-ubyte", where)
        parts.append(_read_idx_file(image_file, (count, height, width), where))
        parts.append(_read_idx_labels(label_file, count, shape.classes, where))
    return _Samples(*parts)


def _list_folder(folder: Path, where: str) -> frozenset[str]:
    """Return the names in a folder."""
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError) as error:
        expected = "the folder that holds the four IDX files"
        raise _problem(folder, expected, f"no readable folder ({_reason(error)})", where) from error


def _find_idx_file(folder: Path, names: frozenset[str], stem: str, ending: str, where: str) -> Path:
    """Return the first spelling of an IDX file that is present."""
    spellings = [f"{stem}{dot}{ending}{packed}" for packed in ("", ".gz") for dot in ("-", ".")]
    for spelling in spellings:
        if spelling in names:
            return folder / spelling
    found = "no such file in the folder" if names else "an empty folder"
    raise _problem(folder / spellings[0], "this file, or " + ", ".join(spellings[1:]), found, where)


def _read_idx_labels(file: Path, count: int, classes: int, where: str) -> UInt8Array:
    """Read an IDX file of labels and check their range."""
    labels = _read_idx_file(file, (count,), where)
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        first = int(wrong[0])
        found = f"label {int(labels[first])} at sample {first}"
        raise _problem(file, f"labels 0 to {classes - 1}", found, where)
    return labels


def _read_idx_file(file: Path, sizes: tuple[int, ...], where: str) -> UInt8Array:
    """Read an IDX file of unsigned bytes and check its header and length against `sizes`."""
    header_bytes = 4 * (1 + len(sizes))
    total_bytes = header_bytes + int(np.prod(sizes))
    content = _read_file(file, total_bytes + 1, where)
    if len(content) < header_bytes:
        found = f"{len(content)} bytes" if content else "nothing (it is empty)"
        raise _problem(file, f"an IDX header of {header_bytes} bytes", found, where)
    _check_idx_header(file, content[:header_bytes], sizes, where)
    if len(content) < total_bytes:
        raise _problem(file, f"{total_bytes} bytes unpacked", f"{len(content)}: it is truncated", where)
    if len(content) > total_bytes:
        raise _problem(file, f"{total_bytes} bytes unpacked", "more: it has surplus bytes at its end", where)
    return np.frombuffer(content, dtype=np.uint8, offset=header_bytes).reshape(sizes)


def _check_idx_header(file: Path, header: bytes, sizes: tuple[int, ...], where: str) -> None:
    """Check magic number, number of samples and image size."""
    magic, count, *image_size = (int(number) for number in np.frombuffer(header, dtype=">u4"))
    kind, expected_magic = ("images" if image_size else "labels"), _IDX_MAGIC_BY_RANK[len(sizes)]
    if magic != expected_magic:
        hint = ", a gzip file whose name lacks .gz" if header.startswith(b"\x1f\x8b") else ""
        expected = f"magic number {expected_magic} (IDX {kind})"
        raise _problem(file, expected, f"{magic} (bytes {header[:4].hex(' ')}{hint})", where)
    if count != sizes[0]:
        raise _problem(file, f"{sizes[0]} {kind}", f"{count} in its header", where)
    if tuple(image_size) != sizes[1:]:
        expected, found = ("x".join(map(str, size)) for size in (sizes[1:], image_size))
        raise _problem(file, f"images of {expected} pixels", f"{found} in its header", where)


def _read_file(file: Path, limit: int, where: str) -> bytes:
    """Return the first `limit` bytes of a file, unpacked where its name ends in ``.gz``."""
    expected = "a gzip file" if file.suffix == ".gz" else "an IDX file"
    try:
        return _read_regular_file(file, limit)
    except EOFError as error:
        raise _problem(file, expected, "that it ends early: it is truncated", where) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        found = f"that it cannot be unpacked ({error}); an unpacked file must not end in .gz"
        raise _problem(file, expected, found, where) from error
    except (OSError, ValueError) as error:
        raise _problem(file, expected, f"that it cannot be read ({_reason(error)})", where) from error


def _read_regular_file(file: Path, limit: int) -> bytes:
    """Read a file; what goes wrong comes as the exception of the library."""
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError("it is a directory")
    if not stat.S_ISREG(mode):
        raise OSError("it is not a regular file")
    with file.open("rb") as raw:
        if file.suffix != ".gz":
            return raw.read(limit)
        with gzip.GzipFile(fileobj=raw) as unpacked:
            return unpacked.read(limit)
