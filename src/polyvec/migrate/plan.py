"""A plan: everything a migration will do, as a file that people can read and run later."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from polyvec._version import __version__
from polyvec.errors import MigrationError
from polyvec.migrate.transforms import Transforms
from polyvec.snapshot.files import replacing
from polyvec.types import Metric

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1


class _Part(BaseModel, frozen=True):
    """A piece of a plan: unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid")


class Example(_Part, frozen=True):
    """A record that shows something."""

    namespace: str
    id: str


class FieldReport(_Part, frozen=True):
    """One metadata field of the source.

    Parameters
    ----------
    path
        With dots, as filters name it.
    classes
        Class of its values to the number of records that have one.
    examples
        Class to one such record.
    """

    path: str
    classes: dict[str, int]
    examples: dict[str, Example]


class Finding(_Part, frozen=True):
    """Something that all records of one class share.

    Parameters
    ----------
    what
        In words.
    count
        How many records, None where that was not counted.
    examples
        The first few of them.
    """

    what: str
    count: int | None = None
    examples: list[Example] = Field(default_factory=list[Example])


class Fidelity(_Part, frozen=True):
    """What the target cannot hold and what it changes, found by reading the source.

    Parameters
    ----------
    read
        Records that were looked at.
    complete
        Whether that was all of them.
    refused
        Records that the target cannot hold, by reason.
    changes
        What will not be as it was, though the records arrive.
    fields, more_fields
        The fields, and how many more there are.
    probes
        Extreme records (the largest, one of each class): checked against the real collection
        when the copy starts, before a record is written.
    """

    read: int = 0
    complete: bool = False
    refused: list[Finding] = Field(default_factory=list[Finding])
    changes: list[Finding] = Field(default_factory=list[Finding])
    fields: list[FieldReport] = Field(default_factory=list[FieldReport])
    more_fields: int = 0
    probes: list[Example] = Field(default_factory=list[Example])

    @property
    def refused_count(self) -> int:
        """Records that the target cannot hold."""
        return sum(finding.count or 0 for finding in self.refused)


class End(_Part, frozen=True):
    """Source or target: a store and a collection in it."""

    shown: str
    identity: str
    backend: str
    collection: str


class Spec(_Part, frozen=True):
    """The target collection."""

    dimension: int
    metric: Metric
    exists: bool
    merge: bool


class Range(_Part, frozen=True):
    """A half-open range of keys in the source's own order; None is an open end."""

    start: str | None = None
    stop: str | None = None


class NamespacePlan(_Part, frozen=True):
    """One namespace: its name in both stores, its records when planned, its ranges."""

    source: str
    target: str
    count: int
    ranges: list[Range]


class Estimate(_Part, frozen=True):
    """Size and time, from the records that were read.

    Parameters
    ----------
    records
        Of all namespaces.
    bytes
        Vectors, texts and metadata, before any encoding.
    read_s
        Seconds to read the source once at the rate seen while planning; the copy and a full
        verification take at least that each.
    """

    records: int
    bytes: int
    read_s: float


class Plan(_Part, frozen=True):
    """What a migration will do.

    Ranges are fixed here: a copy that goes on after a crash, in this process or another, has
    the same ranges as the one that began.
    """

    version: Literal[1] = VERSION
    polyvec: str = __version__
    made_at: str
    source: End
    target: End
    spec: Spec
    transforms: Transforms = Transforms()
    namespaces: list[NamespacePlan]
    fidelity: Fidelity = Fidelity()
    estimate: Estimate
    rights: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])

    @property
    def count(self) -> int:
        """Records of all namespaces when the plan was made, before `where`."""
        return sum(namespace.count for namespace in self.namespaces)

    @property
    def digest(self) -> str:
        """What a journal is bound to: equal for equal plans, reports and estimates aside."""
        # Reading the source twice takes different times; the same work stays the same work.
        fields = self.model_dump(
            mode="json", exclude={"polyvec", "made_at", "fidelity", "estimate", "rights"}
        )
        for end in ("source", "target"):
            fields[end].pop("shown")
        return hashlib.sha256(_canonical(fields).encode()).hexdigest()[:32]

    def save(self, path: Path) -> None:
        """Write the plan as a JSON file, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_plan(path: Path) -> Plan:
    """Return the plan in a file.

    Raises
    ------
    MigrationError
        There is none, or it was edited into something that is no plan.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise MigrationError(f"cannot read the plan {str(path)!r}: {exc}") from None
    return parse_plan(text, f"plan {str(path)!r}")


def parse_plan(text: str, where: str) -> Plan:
    """Return the plan that a JSON text holds; `where` is for the message."""
    try:
        return Plan.model_validate_json(text)
    except ValidationError as exc:
        problems = [
            f"{'.'.join(map(str, error['loc'])) or 'file'}: {error['msg']}"
            for error in exc.errors(include_url=False, include_input=False)
        ]
    shown = "; ".join(problems[:3])
    raise MigrationError(f"{where} is not a plan of version {VERSION}: {shown}")


def _canonical(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
