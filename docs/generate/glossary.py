"""The table of the glossary, from the file whose terms the reports explain too."""

from tasks.reporting.glossary import terms


def table() -> str:
    rows = [f"| {_cell(entry.term)} | {_cell(entry.meaning)} |" for entry in terms()]
    return "\n".join(["| term | meaning |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
