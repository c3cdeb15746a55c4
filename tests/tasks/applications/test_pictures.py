"""Applications to pictures: errors for bad input, use of corruptions, numerics against closed forms."""

import ast
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from tasks.applications.harness.application import Given
from tasks.applications.images.application import APPLICATION as IMAGES
from tasks.applications.images.corruptions import CORRUPTIONS
from tasks.applications.images.joint_energy import calibrate
from tasks.applications.mri import detectors
from tasks.applications.mri.application import APPLICATION as MRI
from tasks.applications.mri.lesion_energy import fit_lesion_energy
from tasks.applications.mri.scans import SIDE, alike, divided, read_scans, resized
from tasks.applications.mri.synthetic_lesions import add_lesions
from tasks.runtime.errors import BasinError

RNG = np.random.default_rng(0)


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def garbage(folder: Path) -> Path:
    folder.mkdir()
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"\x89PNG not one")
    return folder


def sizes(folder: Path) -> Path:
    for name, side in (("one/a", 9), ("one/b", 8), ("two/a", 8)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((side, side), 9, np.uint8)).save(folder / f"{name}.png")
    return folder


def junk(file: Path) -> Path:
    file.write_bytes(b"no archive of arrays")
    return file


def ellipsoid(shape: tuple[int, int, int]) -> np.ndarray:
    """A head: bright within half axes of .4 of the sides, brighter to the right, to the front, above."""
    place = [(i - (n - 1) / 2) / (0.4 * n) for i, n in zip(np.indices(shape), shape, strict=True)]
    inside = sum(p**2 for p in place) < 1
    return (inside * (600 + 100 * place[0] + 200 * place[1] + 50 * place[2])).astype(np.int16)


def nifti(folder: Path, name: str, values: np.ndarray, axes: str = "RAS") -> Path:
    """A volume with axes right, anterior, superior, stored with those of ``axes``."""
    folder.mkdir(exist_ok=True)
    image = nibabel.Nifti1Image(values, np.eye(4))
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(axes)
    )
    nibabel.save(image.as_reoriented(turn), folder / name)
    return folder


def broken_nifti(folder: Path) -> Path:
    folder.mkdir()
    (folder / "scan.nii.gz").write_bytes(b"not a volume")
    return folder


def cut_nifti(folder: Path) -> Path:
    file = nifti(folder, "scan.nii", ellipsoid((30, 36, 20))) / "scan.nii"
    file.write_bytes(file.read_bytes()[:2000])
    return folder


def two_kinds(folder: Path) -> Path:
    nifti(folder, "scan.nii.gz", ellipsoid((30, 36, 20)))
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(folder / "a.png")
    return folder


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


BAD: list[tuple[object, Callable[[Path], Path], str]] = [
    (IMAGES, lambda p: save(p / "a.npz", X=RNG.random((40, 8, 8)), y=np.zeros(40)), "a.npz: only one class"),
    (IMAGES, lambda p: save(p / "a.npz", X=RNG.random((40, 8, 8))), "a.npz: pictures without a class"),
    (
        IMAGES,
        lambda p: save(p / "a.npz", X=RNG.random((40, 8, 8)), y=np.arange(40) % 4),
        "10 training pictures",
    ),
    (IMAGES, lambda p: save(p / "a.npz", X=RNG.random((60, 40, 8)), y=np.arange(60) % 2), "at most 32"),
    (IMAGES, lambda p: save(p / "a.npz", X=np.full((40, 8, 8), np.nan), y=np.arange(40) % 2), "not finite"),
    (IMAGES, lambda p: save(p / "a.npz", Y=np.zeros(3)), "no array X; found Y"),
    (IMAGES, lambda p: garbage(p / "a"), "b.png: not a readable picture"),
    (MRI, lambda p: sizes(p / "a"), "one/a.png: 9 × 9 pixels, but 2 of 3 pictures have 8 × 8"),
    (IMAGES, lambda p: sizes(p / "a"), "one/a.png: 9 × 9 pixels, but 2 of 3 pictures have 8 × 8"),
    (
        IMAGES,
        lambda p: junk(p / "a.npz"),
        "a.npz: not an .npz file of plain arrays; write it with numpy.savez",
    ),
    (IMAGES, lambda p: save(p / "a.npz", X=np.array([{}])), "a.npz: not an .npz file of plain arrays"),
    (IMAGES, lambda p: empty(p / "a"), "no pictures in this folder"),
    (MRI, lambda p: empty(p / "a"), "no scans in this folder; expected files ending in .nii"),
    (MRI, lambda p: broken_nifti(p / "a"), "scan.nii.gz: not a readable NIfTI volume"),
    (MRI, lambda p: cut_nifti(p / "a"), "scan.nii: not a readable NIfTI volume"),
    (MRI, lambda p: two_kinds(p / "a"), r"both NIfTI volumes and pictures \(a.png\)"),
    (MRI, lambda p: nifti(p / "a", "b.nii.gz", np.zeros((8, 8, 8), np.int16)), "every pixel is 0"),
    (
        MRI,
        lambda p: nifti(p / "a", "b.nii.gz", np.ones((8, 8, 8, 2), np.int16)),
        "one volume with three axes",
    ),
    (MRI, lambda p: save(p / "a.npz", X=np.ones((40, 64, 64))), "the same grey everywhere"),
    (
        MRI,
        lambda p: save(p / "a.npz", X=np.tile(RNG.random((64, 64)), (40, 1, 1))),
        "40 slices in 1 group; expected",
    ),
    (MRI, lambda p: save(p / "a.npz", X=RNG.random((3, 64, 64))), "3 slices in 3 groups;"),
]


@pytest.mark.parametrize(("application", "make", "words"), BAD)
def test_bad_input_is_one_line_that_names_it(application, make, words: str, tmp_path: Path) -> None:
    with pytest.raises(BasinError, match=words) as raised:
        application.read(Given(data=make(tmp_path)), {})
    assert "\n" not in str(raised.value) and "pickle" not in str(raised.value)


@pytest.mark.parametrize("corruption", ["images.corruptions", "mri.synthetic_lesions"])
def test_only_what_judges_knows_of_corruptions(corruption: str, project_root: Path) -> None:
    """Only `trials` and `pictures` may import the corruptions, inside the function."""
    users = set()
    for file in project_root.glob("tasks/applications/*/*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for scope in ast.walk(tree):
            body = scope.body if isinstance(scope, ast.Module | ast.FunctionDef) else []
            found = [
                n
                for n in body
                if isinstance(n, ast.ImportFrom) and n.module == f"tasks.applications.{corruption}"
            ]
            users |= {(file.parent.name, file.stem, getattr(scope, "name", "module")) for _ in found}
    name = corruption.split(".")[0]
    trials, pictures = ((name, "application", method) for method in ("trials", "pictures"))
    assert users - {(name, "drawing", "module")} <= {trials, pictures}
    assert trials in users


def test_corruptions_keep_the_ink_they_say_they_keep() -> None:
    pictures, labels = RNG.random((12, 6, 6)), np.repeat([0, 1, 2], 4)
    pictures[labels == 1] += 10
    pictures[labels == 2] += 20
    made = {name: f(pictures, labels, np.random.default_rng(0)) for name, f in CORRUPTIONS.items()}
    assert np.sort(made["shuffled"].reshape(12, -1)) == pytest.approx(np.sort(pictures.reshape(12, -1)))
    assert not np.allclose(made["shuffled"], pictures)
    assert made["inverted"] + pictures == pytest.approx(1)
    assert made["transposed"].transpose(0, 2, 1) == pytest.approx(pictures)
    assert (np.abs(made["blend"].mean((1, 2)) - pictures.mean((1, 2))) > 2).all()


def test_a_lesion_is_as_strong_as_stated_where_it_is_and_nothing_elsewhere() -> None:
    slices = np.zeros((30, 64, 64), np.float32)
    slices[:, 8:56, 8:56] = 0.5 + 0.1 * np.random.default_rng(1).normal(size=(30, 48, 48))
    made = add_lesions(slices, 1.0, np.random.default_rng(2))
    change = np.abs(made.slices - slices)
    assert np.median(change[made.where]) == pytest.approx(0.1, abs=0.02)
    far = np.array([c[~w].mean() for c, w in zip(change, made.where, strict=True)])
    assert far.max() < 0.005
    area = made.where.sum((1, 2))
    assert area.min() >= np.pi * 9 * 0.8 and area.max() <= np.pi * 49 * 1.1
    again = add_lesions(slices, 1.0, np.random.default_rng(2))
    assert (again.slices == made.slices).all()


def test_near_duplicates_share_a_part() -> None:
    rng = np.random.default_rng(0)
    slices = np.repeat(rng.random((40, 16, 16)), 3, axis=0) + 0.02 * rng.random((120, 16, 16))
    group = alike(slices)
    assert group.max() == 39
    parts = divided(group, (0.6, 0.1, 0.3))
    assert sorted(np.concatenate(parts)) == list(range(120))
    held = [set(group[rows]) for rows in parts]
    assert not (held[0] & held[2] or held[0] & held[1] or held[1] & held[2])
    assert [len(rows) for rows in parts] == pytest.approx([72, 12, 36], abs=4)


def test_a_volume_gives_its_axial_slices_whichever_way_it_was_stored(tmp_path: Path) -> None:
    head = ellipsoid((70, 90, 40))
    plain = read_scans(nifti(tmp_path / "plain", "scan.nii.gz", head))
    turned = read_scans(nifti(tmp_path / "turned", "scan.nii.gz", head, axes="PIR"))
    alone = read_scans(tmp_path / "plain" / "scan.nii.gz")
    assert plain.values.shape[1:] == (SIDE, SIDE)
    assert 20 < len(plain) < 34, "slices without tissue are left out"
    assert plain.names[0] == "scan.nii.gz[5]" == alone.names[0]
    for other in (turned, alone):
        assert other.names == plain.names
        assert other.values == pytest.approx(plain.values)
    middle = plain.values[len(plain) // 2]
    assert plain.values.min() >= 0 and plain.values.max() <= 1
    assert middle[20:28, 28:36].mean() > middle[36:44, 28:36].mean() + 0.05, "the front is above"
    assert middle[28:36, 36:44].mean() > middle[28:36, 20:28].mean() + 0.02, "right is right"
    above = plain.values[-3:, 28:36, 28:36].mean()
    assert above > plain.values[:3, 28:36, 28:36].mean(), "upwards along the slices"


def test_slices_of_one_volume_lie_in_one_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(12):  # no slice is like another
        nifti(tmp_path / "a", f"{k}.nii.gz", rng.random((24, 24, 8)).astype(np.float32))
    examples = MRI.read(Given(data=tmp_path / "a"), {})
    volumes = examples.pictures.labels
    parts = [set(volumes[rows]) for rows in (examples.train, examples.calibrate, examples.test)]
    assert sum(map(len, parts)) == 12 and all(parts)


def test_learning_from_slices_says_every_fifty_steps_how_far_it_is() -> None:
    said = []
    slices = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    _, losses = fit_lesion_energy(slices, 101, torch.Generator().manual_seed(0), lambda *at: said.append(at))
    assert said == [("steps", done, 101) for done in (0, 50, 100)]
    assert len(losses) == 101


def test_peers_find_a_blob_where_it_is() -> None:
    rng = np.random.default_rng(0)
    healthy = 1 + 0.1 * ndimage.gaussian_filter(rng.normal(size=(60, 64, 64)), (0, 6, 6))
    sick = healthy[50:].copy()
    sick[:, 20:30, 40:50] += 0.2
    for of in (detectors.of_pca(healthy[:50], 0), detectors.of_neighbours(healthy[:50])):
        before, _ = of(healthy[50:])
        after, maps = of(sick)
        assert (after > before).all()
        places = np.array([np.unravel_index(m.argmax(), m.shape) for m in maps])
        assert (np.abs(places - (24.5, 44.5)).max(1) < 6).mean() > 0.8


def test_scans_of_other_sizes_are_padded_and_scaled() -> None:
    image = np.ones((128, 96), np.float32)
    small = resized(image)
    assert small.shape == (64, 64)
    assert small.mean() == pytest.approx(0.75, abs=0.02)
    assert small[:, :6].max() < 0.1 < small[32, 32]


def test_calibration_finds_the_temperature_that_made_the_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 4, generator=generator)
    truth = torch.multinomial((0.5 * logits).softmax(1), 1, generator=generator)[:, 0]
    noise = torch.randn(20_000, 4, generator=generator)
    sharpness, evidence = calibrate(logits, noise, truth)
    assert sharpness == pytest.approx(0.5, abs=0.03)
    assert evidence == pytest.approx(0, abs=0.03)
