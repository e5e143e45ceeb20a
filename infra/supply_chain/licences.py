"""The licence of each package, by SPDX's names, and whether it may be shipped with a product under MIT."""

import re
from collections.abc import Iterable
from importlib.metadata import distribution

import bundle
from supply_chain.requirements import of_function, pinned

PAGE = bundle.ROOT / "docs/licences.md"

# Permissive ones, and MPL-2.0, whose duties end at the package's own files.
ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CNRI-Python",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Unlicense",
    }
)

_HEAD = """# Licences

Spillway is under the [MIT licence](../LICENSE). This is what is installed for its functions, by licence. `make sbom` \
writes this page and, into `build/sbom`, a bill of materials for each function. A test fails on a package whose \
licence is unknown, or not among those that `infra/supply_chain/licences.py` allows. Not shipped, but in the \
repository: `infra/google_stand_in/schema.json.gz`, data under MPL-2.0 (see NOTICE beside it).

| licence | packages |
|---|---|
"""

# How packages without a licence expression say it, in the field `License` or in a classifier.
_WORDS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd, public domain": "BSD-2-Clause AND Unlicense",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "psfl": "PSF-2.0",
}

# Those that give their licence's text in place of its name: how the text begins.
_TEXTS = {"Apache License": "Apache-2.0", "Redistribution and use in source and binary forms": "BSD-3-Clause"}

# Those that say too little, read by hand in their repositories.
_BY_HAND = {"pyasn1-modules": "BSD-2-Clause"}

# Those that say nothing, neither there nor in their repositories. Tests may install them; nothing ships them.
SILENT = {"livepeer-ai"}


def licence(package: str) -> str | None:
    """The licence of an installed package as an SPDX expression, or None where it says none that is known."""
    if package in _BY_HAND:
        return _BY_HAND[package]
    about = distribution(package).metadata
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    field = (about.get("License") or "").strip()
    classifiers = [one.rpartition(" :: ")[2] for one in about.get_all("Classifier") or [] if one.startswith("License")]
    return _named([field, *classifiers]) or _quoted(field)


def is_allowed(expression: str) -> bool:
    """Whether all that an expression demands at once is allowed, by one of its alternatives."""
    return any(set(one.strip("() ").split(" AND ")) <= ALLOWED for one in expression.split(" OR "))


def shipped() -> list[str]:
    """The packages that are installed for functions."""
    return sorted({package for name in bundle.names() for package in pinned(of_function(name))})


def page() -> str:
    """docs/licences.md."""
    by_licence: dict[str, list[str]] = {}
    for package in shipped():
        by_licence.setdefault(licence(package) or "unknown", []).append(package)
    rows = "\n".join(f"| {name} | {', '.join(by_licence[name])} |" for name in sorted(by_licence))
    return f"{_HEAD}{rows}\n"


def _named(said: Iterable[str]) -> str | None:
    for word in said:
        if word in ALLOWED or re.fullmatch(r"[\w.-]+ OR [\w.-]+", word):
            return word
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
    return None


def _quoted(text: str) -> str | None:
    return next((name for beginning, name in _TEXTS.items() if beginning in text), None)
