"""The project's code must not unpickle, load unsafe YAML, run a shell or listen on public addresses."""

import ast
import re
from pathlib import Path

from tests.tracked import tracked

FORBIDDEN_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
    "os.system",
    "pd.read_pickle",
    "torch.save",
}
SECRETS = re.compile(
    r"AKIA[0-9A-Z]{16}"  # AWS access key
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
    r"|gh[pousr]_[A-Za-z0-9]{36}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|(?i:(?:password|secret|api_?key|token)\s*[:=]\s*[\"'][A-Za-z0-9+/_\-]{16,}[\"'])"
)


def unsafe(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{node.lineno} imports {n}" for n in names if n.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in FORBIDDEN_CALLS:
                found.append(f"{node.lineno} calls {name}")
            if name == "torch.load" and options.get("weights_only") != "True":
                found.append(f"{node.lineno} torch.load without weights_only=True")
            if options.get("shell") == "True" or options.get("allow_pickle") == "True":
                found.append(f"{node.lineno} {name} with shell or allow_pickle")
    return found


def test_the_code_neither_unpickles_nor_evaluates(project_root):
    found = [
        f"{path.relative_to(project_root)}:{what}"
        for top in ("ebm_core", "tasks", "flows", "benchmarks")
        for path in sorted((project_root / top).rglob("*.py"))
        for what in unsafe(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_rule_sees_what_it_forbids():
    source = "import pickle\nyaml.load(f)\ntorch.load(p)\nrun(c, shell=True)\nnp.load(p, allow_pickle=True)\n"
    assert len(unsafe(source)) == 5


def test_nothing_listens_beyond_loopback(project_root):
    places = [*(project_root / "flows").rglob("*.py"), *(project_root / "tasks").rglob("*.py")]
    places += [project_root / name for name in ("Makefile", "prefect.yaml", "deploy/ray-cluster.yaml")]
    assert [path for path in places if "0.0.0.0" in path.read_text(encoding="utf-8")] == []


def test_no_secret_is_in_the_repository(project_root):
    found = []
    for path in (project_root / name for name in tracked(project_root)):
        if path.suffix in {".png", ".safetensors", ".parquet", ".nc"} or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(project_root)}: {hit.group(0)[:12]}…" for hit in SECRETS.finditer(text)]
    assert found == []
    assert SECRETS.search("AKIA" + "ABCDEFGHIJKLMNOP")
    assert SECRETS.search('api_key = "' + "x1" * 12 + '"')
