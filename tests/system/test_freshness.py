"""`tasks.runtime.freshness` on a toy project with two domains and two stages."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from tasks.runtime.errors import BasinError
from tasks.runtime.freshness import Verdict, bring_up_to_date, nothing_to_do, one_run_at_a_time

PIPELINE = f"""
stages:
  double:
    foreach: ${{domains}}
    do:
      cmd: {sys.executable} toy.py double ${{item}}
      deps: [toy.py]
      params: ["${{item}}.double"]
      outs: ["out/${{item}}/double.txt"]
  add:
    foreach: ${{domains}}
    do:
      cmd: {sys.executable} toy.py add ${{item}}
      deps: [toy.py, "out/${{item}}/double.txt"]
      params: ["${{item}}.add"]
      outs:
        - "out/${{item}}/folder"
      metrics:
        - "out/${{item}}/add.json"
"""

TOY = """
import sys
from pathlib import Path

import yaml


def run(root, stage, domain):
    params = yaml.safe_load((root / "params.yaml").read_text())[domain]
    out = root / "out" / domain
    out.mkdir(parents=True, exist_ok=True)
    if stage == "double":
        if params["double"] < 0:
            raise SystemExit("negative")
        (out / "double.txt").write_text(str(2 * params["double"]))
    else:
        value = int((out / "double.txt").read_text()) + params["add"]
        (out / "folder").mkdir(exist_ok=True)
        (out / "folder" / "value.txt").write_text(str(value))
        (out / "add.json").write_text(str(value))


if __name__ == "__main__":
    run(Path(), *sys.argv[1:])
"""
NAMES = [f"{stage}@{domain}" for stage in ("double", "add") for domain in ("north", "south")]
VALUES = {"domains": ["north", "south"], "north": {"double": 1, "add": 10}, "south": {"double": 2, "add": 20}}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path / "toy")


def make_toy(root: Path) -> Path:
    from dvc.repo import Repo

    root.mkdir()
    Repo.init(str(root), no_scm=True).close()
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "toy.py").write_text(TOY)
    set_params(root, VALUES)
    return root


def set_params(root: Path, values: dict) -> None:
    (root / "params.yaml").write_text(yaml.safe_dump(values))


def dvc(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout


def flow(root: Path) -> dict[str, Verdict]:
    """Bring all stages up to date, with the two domains as threads of one process."""
    namespace: dict = {"__name__": "toy"}
    exec((root / "toy.py").read_text(), namespace)
    verdicts: dict[str, Verdict] = {}
    failures: list[BaseException] = []

    def walk(domain: str) -> None:
        try:
            for stage in ("double", "add"):
                verdicts[f"{stage}@{domain}"] = bring_up_to_date(
                    f"{stage}@{domain}", root, lambda stage=stage: namespace["run"](root, stage, domain)
                )
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=walk, args=(domain,)) for domain in ("north", "south")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return verdicts


def lock(root: Path) -> dict:
    return yaml.safe_load((root / "dvc.lock").read_text())


def test_flow_and_repro_write_the_same_lock_and_each_skips_what_the_other_ran(tmp_path: Path) -> None:
    by_flow, by_repro = make_toy(tmp_path / "flow"), make_toy(tmp_path / "repro")
    assert set(flow(by_flow).values()) == {Verdict.RAN}
    assert "Running stage" in dvc(by_repro, "repro")

    assert lock(by_flow) == lock(by_repro)
    assert "Running stage" not in dvc(by_flow, "repro")
    assert set(flow(by_repro).values()) == {Verdict.FRESH}
    assert "up to date" in dvc(by_flow, "status")


def test_only_the_domain_whose_parameters_changed_runs(toy: Path) -> None:
    flow(toy)
    assert nothing_to_do(toy, NAMES)
    set_params(toy, VALUES | {"south": {"double": 3, "add": 20}})
    assert not nothing_to_do(toy, NAMES)
    assert nothing_to_do(toy, ["double@north", "add@north"])
    assert flow(toy) == {
        "double@north": Verdict.FRESH,
        "add@north": Verdict.FRESH,
        "double@south": Verdict.RAN,
        "add@south": Verdict.RAN,
    }
    assert (toy / "out/south/add.json").read_text() == "26"


def test_going_back_to_known_inputs_or_losing_outputs_restores_instead_of_running(toy: Path) -> None:
    flow(toy)
    set_params(toy, VALUES | {"south": {"double": 3, "add": 20}})
    flow(toy)
    set_params(toy, VALUES)
    (toy / "out/north/folder/value.txt").unlink()
    assert flow(toy) == {
        "double@north": Verdict.FRESH,
        "add@north": Verdict.RESTORED,
        "double@south": Verdict.RESTORED,
        "add@south": Verdict.RESTORED,
    }
    assert (toy / "out/south/add.json").read_text() == "24"
    assert (toy / "out/north/folder/value.txt").read_text() == "12"


def test_a_failing_stage_leaves_the_last_good_output_and_record(toy: Path) -> None:
    flow(toy)
    before = lock(toy)
    set_params(toy, VALUES | {"south": {"double": -1, "add": 20}})
    with pytest.raises(SystemExit, match="negative"):
        flow(toy)
    assert lock(toy) == before
    assert (toy / "out/south/double.txt").read_text() == "4"


def test_outputs_of_inputs_that_moved_meanwhile_are_not_recorded(toy: Path) -> None:
    flow(toy)
    set_params(toy, VALUES | {"north": {"double": 5, "add": 10}})

    def run_while_someone_edits() -> None:
        (toy / "out/north/double.txt").write_text("10")
        set_params(toy, VALUES | {"north": {"double": 6, "add": 10}})

    before = lock(toy)
    with pytest.raises(BasinError, match=r"double@north: params.yaml.* changed while the stage ran"):
        bring_up_to_date("double@north", toy, run_while_someone_edits)
    assert lock(toy) == before


def test_a_missing_input_is_named(toy: Path) -> None:
    with pytest.raises(BasinError, match=r"add@north: .*double.txt is missing"):
        bring_up_to_date("add@north", toy, lambda: None)


def test_two_runs_at_once_queue(toy: Path) -> None:
    order: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with one_run_at_a_time(toy, lambda: order.append("first waits")):
            inside.set()
            time.sleep(0.3)
            order.append("first done")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with one_run_at_a_time(toy, lambda: order.append("second waits")):
        order.append("second runs")
    thread.join()
    assert order == ["second waits", "first done", "second runs"]


def test_dvc_does_not_run_a_stage_that_is_at_work_here(toy: Path) -> None:
    said: list[str] = []

    def work() -> None:
        repro = [sys.executable, "-m", "dvc", "repro", "double@south"]
        said.append(subprocess.run(repro, cwd=toy, capture_output=True, text=True).stderr)
        (toy / "out/south").mkdir(parents=True)
        (toy / "out/south/double.txt").write_text("4")

    assert bring_up_to_date("double@south", toy, work) is Verdict.RAN
    assert "is busy" in said[0]
    assert "didn't change" in dvc(toy, "repro", "double@south")


def test_a_killed_run_leaves_the_last_good_output_and_no_lock(toy: Path) -> None:
    flow(toy)
    before = lock(toy)
    set_params(toy, VALUES | {"south": {"double": 4, "add": 20}})
    script = f"""
import time
from pathlib import Path
from tasks.runtime.freshness import bring_up_to_date, one_run_at_a_time

def work():
    print("working", flush=True)
    time.sleep(60)

root = Path({str(toy)!r})
with one_run_at_a_time(root, lambda: None):
    bring_up_to_date("double@south", root, work)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.kill()
    assert lock(toy) == before
    assert (toy / "out/south/double.txt").read_text() == "4"
    with one_run_at_a_time(toy, lambda: pytest.fail("the killed run still holds the project")):
        assert flow(toy)["add@south"] is Verdict.RAN
    assert (toy / "out/south/add.json").read_text() == "28"


def test_asking_imports_no_heavy_package(toy: Path) -> None:
    flow(toy)
    script = (
        "import sys; from pathlib import Path; from tasks.runtime.freshness import bring_up_to_date\n"
        f"print(bring_up_to_date('add@north', Path({str(toy)!r}), None))\n"
        "print(sorted({'torch', 'great_expectations', 'ray', 'prefect', 'arch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["fresh", "[]"]
