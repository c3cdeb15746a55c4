"""``basin score``: apply a stored model to new examples."""

from pathlib import Path

from tasks.applications.harness.application import Application, get_application
from tasks.applications.harness.stored_model import Scored, Stored
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json
from tasks.runtime.outputs import claim


def score(model: Path, data: Path, out: Path, overwrite: bool = False) -> Scored:
    """Apply the model in the folder ``model`` to the examples in ``data`` and write ``out/answers.csv``.

    Raises ``BasinError`` if the folder holds no model of an application, if files in ``out`` would be lost,
    and for examples of another kind than the training examples.
    """
    application, stored = load_model(model)
    if not data.exists():
        raise BasinError(f"{data}: no such file or folder; check --data")
    with claim(out, "score", ("answers.csv", *application.score_files), overwrite):
        found = _apply(application, stored, model, data)
        targets = [out / "answers.csv", *(out / name for name in found.files)]
        with atomic_write(*targets) as (answers, *paths):
            found.answers.to_csv(answers, index=False, float_format="%.8g")
            for path, content in zip(paths, found.files.values(), strict=True):
                path.write_bytes(content)
    return found


def _apply(application: Application, stored: Stored, model: Path, data: Path) -> Scored:
    try:
        return application.score(stored, data)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BasinError(
            f"{model}: model.safetensors and config.json do not match this version of Basin ({reason}); run "
            f"`basin run --domain {application.name}` again"
        ) from error


def load_model(folder: Path) -> tuple[Application, Stored]:
    """Load a stored model; raises ``BasinError`` if the folder holds none that can score new examples."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "config.json"
    if not path.is_file():
        raise BasinError(
            f"{folder}: no config.json; give the folder model/ written by `basin run --domain …`"
        )
    config = read_json(path)
    name = config.get("application") if isinstance(config, dict) else None
    if name is None:
        raise BasinError(
            f"{path}: not the model of an application; use `basin forecast --model` for a forecasting model"
        )
    application = get_application(name)
    if "signature" not in config:
        raise BasinError(
            f"{folder}: a model of {name} cannot score new examples; anomaly, images and mri can"
        )
    try:
        tensors = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise BasinError(
            f"{folder / 'model.safetensors'}: not readable ({error}); run `basin run --domain {name}` again"
        ) from error
    return application, Stored(tensors, config)
