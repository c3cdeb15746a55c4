"""A stored model applied to new examples: ``basin score``."""

from pathlib import Path

from tasks.applications.harness.application import Application, get_application
from tasks.applications.harness.stored_model import Scored, Stored
from tasks.runtime.errors import BasinError
from tasks.runtime.files import atomic_write, read_json


def score(model: Path, data: Path, out: Path) -> Scored:
    """Apply the model in the folder ``model`` to the examples in ``data``; ``out`` gets ``answers.csv``.

    Raises ``BasinError`` in one line for a folder that holds no such model, and for examples that are not
    like those it learned from.
    """
    application, stored = load_model(model)
    if not data.exists():
        raise BasinError(f"{data}: no such file or folder")
    if (out / "provenance.json").exists():
        raise BasinError(f"{out}: holds a run, whose answers would be replaced; give another --out")
    try:
        found = application.score(stored, data)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BasinError(
            f"{model}: tensors and config.json do not fit this version ({reason}); run `basin run --domain "
            f"{application.name}` again"
        ) from error
    targets = [out / "answers.csv", *(out / name for name in found.files)]
    with atomic_write(*targets) as (answers, *paths):
        found.answers.to_csv(answers, index=False, float_format="%.8g")
        for path, content in zip(paths, found.files.values(), strict=True):
            path.write_bytes(content)
    return found


def load_model(folder: Path) -> tuple[Application, Stored]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "config.json"
    if not path.is_file():
        raise BasinError(f"{folder}: no config.json; expected the model/ that `basin run --domain …` left")
    config = read_json(path)
    name = config.get("application") if isinstance(config, dict) else None
    if name is None:
        raise BasinError(
            f"{path}: not of an application; a forecast's model goes to `basin forecast --model`"
        )
    application = get_application(name)
    if "signature" not in config:
        raise BasinError(f"{folder}: a model of {name} cannot be applied to new examples")
    try:
        tensors = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise BasinError(f"{folder / 'model.safetensors'}: not readable ({error}); run it again") from error
    return application, Stored(tensors, config)
