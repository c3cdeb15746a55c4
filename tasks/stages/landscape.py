"""Stage ``landscape``: contour maps of the learned energy with the test data, and TensorBoard logs."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from ebm_core.tilts.pool import LinearPool
from ebm_core.tilts.skewt import SkewT
from ebm_core.views.landscapes import PrincipalPlane, local_mean, near_data, slice_energy
from tasks.domains import get_domain
from tasks.reporting.labels import input_name, periods, series_name
from tasks.reporting.maps import canvas, drawing, paint, png, points
from tasks.runtime.errors import BasinError
from tasks.runtime.file_names import file_names
from tasks.runtime.files import atomic_write, remove, write_json
from tasks.runtime.parallel import Progress, silent
from tasks.runtime.params import DomainParams
from tasks.runtime.workspace import Workspace
from tasks.tilts.fits import load_fold, read_folds
from tasks.tilts.model import TiltedModel

BATCH = 600
"""Number of states evaluated at once, which limits the memory of the quadrature."""


@dataclass(frozen=True)
class Scene:
    """Data of a map: a series at one lead, with inputs (not standardised), base forecasts and test rows."""

    name: str
    title: str
    inputs: pd.DataFrame
    base: LinearPool
    tested: pd.DataFrame
    model: TiltedModel

    def bases_at(self, at: np.ndarray, points: np.ndarray, bandwidth: float, thin: Any) -> LinearPool:
        """Return a typical base forecast at each place ``at`` of a map.

        The rows ``thin`` lie at ``points`` of the map. Location and log scale of each member are kernel means
        over these rows; shape and weight are those of the latest row.
        """
        members = []
        for m in self.base.members:
            values = np.column_stack([m.loc[thin], m.scale[thin].log()])
            mean = torch.as_tensor(local_mean(at, points, values, bandwidth))
            members.append(SkewT(mean[:, 0], mean[:, 1].exp(), m.eta[-1], m.lam[-1]))
        return LinearPool(members, self.base.weights[:, -1:].expand(-1, len(at)))


def landscape(workspace: Workspace, params: DomainParams, progress: Progress = silent) -> dict[str, Any]:
    """Draw two maps of the final model for each series and, if there are several leads, for two leads.

    Writes ``landscape/``. Map (a) shows −log p(y | x) over the state before the forecast and the outcome;
    the other inputs have values typical of that state. Map (b) shows the mean energy of the outcome,
    E_p[−log p(y | x)], over the plane of the first two principal components of the inputs, and is blank
    where there are no data. Points are test dates, with the energy of their outcome under the model of their
    fold. Images and training curves are also logged for TensorBoard in ``runs/``, which DVC does not track.
    """
    domain = get_domain(workspace)
    inputs = pd.read_parquet(workspace.inputs)
    if domain.state not in inputs:
        raise BasinError(
            f"{workspace.inputs}: no column {domain.state}; set `state` in tasks/domains/{domain.name}.py"
        )
    classical, forecasts = pd.read_parquet(workspace.classical), pd.read_parquet(workspace.forecasts)
    model = load_fold(workspace.fits, "final")
    scenes = make_scenes(domain, inputs, classical, forecasts[forecasts["model"] == "ebm"], model)
    figures, pictures = [], {}
    maps: tuple[Callable[[Scene, Any], tuple[Any, str, str]], ...] = (state_map, plane_map)
    for i, scene in enumerate(scenes):
        for j, draw in enumerate(maps):
            with drawing:
                picture, title, caption = draw(scene, domain)
            name = f"{draw.__name__.removesuffix('_map')}-{scene.name}.png"
            pictures[name] = picture
            figures.append({"file": name, "title": title, "caption": caption})
            progress("landscape", 2 * i + j + 1, 2 * len(scenes))
    with atomic_write(workspace.landscape) as (folder,):
        folder.mkdir()
        for name, picture in pictures.items():
            (folder / name).write_bytes(picture)
        write_json(folder / "landscape.json", {"figures": figures})
    log_to_tensorboard(workspace, pictures)
    return {"figures": [f["file"] for f in figures]}


def make_scenes(
    domain: Any, inputs: pd.DataFrame, classical: pd.DataFrame, tested: pd.DataFrame, model: TiltedModel
) -> list[Scene]:
    """Return a scene for each series at the shortest lead and, if there are several leads, the middle one."""
    leads = sorted({domain.leads[0], domain.leads[len(domain.leads) // 2]})
    scenes = []
    for series, file_name in file_names(inputs["series"].unique()).items():
        for lead in leads:
            rows = inputs[(inputs["series"] == series) & (inputs["lead"] == lead)].reset_index(drop=True)
            title = series_name(series)
            if len(leads) > 1:
                title += f", {periods(domain.frequency, lead)} ahead"
            scenes.append(
                Scene(
                    name=f"{file_name}-{lead}",
                    title=title,
                    inputs=rows,
                    base=model.base(classical, rows),
                    tested=tested[(tested["series"] == series) & (tested["lead"] == lead)].merge(
                        rows.drop(columns="time"), on=["series", "origin", "lead"], validate="1:1"
                    ),
                    model=model,
                )
            )
    return scenes


def state_map(scene: Scene, domain: Any) -> tuple[bytes, str, str]:
    """Draw map (a): −log p over state and outcome. Each column is a density that integrates to one."""
    state = scene.inputs[domain.state].to_numpy(float)
    low, high = np.quantile(state, [0.003, 0.997])
    reach = np.abs(scene.tested["observed"]).max() * 1.08
    across, up = np.linspace(low, high, 140), np.linspace(-reach, reach, 161)
    bandwidth = 0.25 * state.std()
    columns = list(scene.model.config.columns)
    thin = every(len(state), 4000)
    rows = pd.DataFrame(
        local_mean(
            across[:, None], state[thin, None], scene.inputs[columns].to_numpy(float)[thin], bandwidth
        ),
        columns=columns,
    ).assign(**{domain.state: across, "lead": scene.inputs["lead"].iloc[0]})
    base = scene.bases_at(across[:, None], state[thin, None], bandwidth, thin)
    energy = slice_energy(scene.model.distribution(rows, base).log_prob, up)
    figure, axes = canvas()
    paint(figure, axes, across, up, energy)
    axes.set(xlim=(low, high), ylim=(-reach, reach))
    points(axes, scene.tested[domain.state], scene.tested["observed"], scene.tested)
    axes.set_xlabel(domain.state_title)
    axes.set_ylabel(f"outcome, {domain.unit}")
    title = f"{scene.title}: state and outcome"
    caption = (
        "Horizontal axis: the state before the forecast. Vertical axis: the outcome. Dark blue is where the "
        "model expects the outcome; from one contour to the next the density changes by a constant factor. "
        "Dots are test dates, and the most surprising have their date. All other inputs have values typical "
        "of the state."
    )
    return png(figure), title, caption


def plane_map(scene: Scene, domain: Any) -> tuple[bytes, str, str]:
    """Draw map (b): E_p[−log p] over the plane of the first two principal components of the inputs."""
    columns = list(scene.model.config.columns)
    x = scene.model.inputs(scene.inputs).numpy()
    plane = PrincipalPlane.of(x)
    where = plane.project(x)
    tested = plane.project(scene.model.inputs(scene.tested).numpy())
    low, high = np.quantile(np.vstack([where, tested]), [0.001, 0.999], axis=0)
    pad = 0.06 * (high - low)
    across, up = (np.linspace(a, b, 90) for a, b in zip(low - pad, high + pad, strict=True))
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    thin = every(len(where), 1500)
    near = near_data(grid, where, radius=float(0.06 * np.hypot(*(high - low))))
    energy = np.full(len(grid), np.nan)
    # The plane is one of standardised inputs, but the model expects raw inputs and standardises them.
    center, spread = np.array(scene.model.config.center), np.array(scene.model.config.spread)
    rows = pd.DataFrame(plane.lift(grid[near]) * spread + center, columns=columns)
    rows["lead"] = scene.inputs["lead"].iloc[0]
    base = scene.bases_at(grid[near], where[thin], 0.35, thin)
    energy[near] = mean_energy(scene.model, rows, base)
    figure, axes = canvas()
    levels = np.linspace(np.nanmin(energy), np.nanmax(energy) + 1e-9, 22)
    label = "mean energy of the outcome, nats"
    paint(figure, axes, across, up, energy.reshape(len(up), len(across)), label, levels)
    axes.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
    points(axes, tested[:, 0], tested[:, 1], scene.tested, sized=True)
    for side, axis, share in zip(plane.axes, (axes.set_xlabel, axes.set_ylabel), plane.share, strict=True):
        largest = [input_name(columns[k]) for k in np.argsort(-np.abs(side))[:3]]
        axis(f"{', '.join(largest)}  ({100 * share:.0f} % of variance)", fontsize=7.5)
    title = f"{scene.title}: calm and dangerous states"
    caption = (
        "Each point of the plane is a state of the inputs. The axes are their first two principal "
        "components, labelled with the inputs of largest weight. The colour shows how uncertain the model is "
        "about the outcome; yellow states are the most uncertain. Dots are test dates, larger for a more "
        "surprising outcome, and the most surprising have their date. Areas without data are blank."
    )
    return png(figure), title, caption


def every(count: int, most: int) -> np.ndarray:
    """Return at most ``most`` evenly spaced row numbers, including the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def mean_energy(model: TiltedModel, rows: pd.DataFrame, base: LinearPool) -> np.ndarray:
    """Return the entropy of the forecast in each state, in nats, of shape ``(len(rows),)``."""
    parts = []
    for at in range(0, len(rows), BATCH):
        part = slice(at, at + BATCH)
        parts.append(model.distribution(rows.iloc[part], base[part]).entropy().numpy())
    return np.concatenate(parts)


def log_to_tensorboard(workspace: Workspace, pictures: dict[str, bytes]) -> None:
    """Log the maps and each fold's training and validation loss, shown by ``make tensorboard``."""
    from matplotlib.image import imread
    from torch.utils.tensorboard import SummaryWriter

    remove(workspace.tensorboard)
    with SummaryWriter(str(workspace.tensorboard)) as writer:
        for name, picture in pictures.items():
            image = imread(io.BytesIO(picture), format="png")[..., :3]
            writer.add_image(f"landscape/{name.removesuffix('.png')}", image, dataformats="HWC")
        for fold in read_folds(workspace.fits):
            for kind in ("loss", "validation"):
                for step, value in zip(fold["steps"], fold[kind], strict=True):
                    writer.add_scalar(f"{kind}/{fold['fold']}", value, step)
