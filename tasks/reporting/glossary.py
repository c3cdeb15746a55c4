"""Terms of the field and of the project, explained in the reports and in the documentation."""

import re
from functools import cache
from pathlib import Path

from tasks.runtime.files import read_yaml
from tasks.runtime.params import Strict

PATH = Path(__file__).with_name("glossary.yaml")


class Term(Strict):
    """Entry of ``glossary.yaml``."""

    term: str
    meaning: str
    also: tuple[str, ...] = ()

    def occurs_in(self, words: str) -> bool:
        """Return whether the term or another spelling of it occurs in a text, as whole words."""
        spellings = "|".join(map(re.escape, (self.term, *self.also)))
        return re.search(rf"(?<![\w-])(?:{spellings})(?![\w-])", words, re.IGNORECASE) is not None


@cache
def terms() -> tuple[Term, ...]:
    """Return all terms, in alphabetical order."""
    found = [Term.model_validate(entry) for entry in read_yaml(PATH, "restore the file")]
    return tuple(sorted(found, key=lambda entry: entry.term.lower()))


def terms_in(words: str) -> tuple[Term, ...]:
    """Return the terms that occur in a text."""
    return tuple(entry for entry in terms() if entry.occurs_in(words))
