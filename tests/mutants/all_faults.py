"""Every fault, by name: importing the groups registers them."""

from __future__ import annotations

from tests.mutants import (
    faults_checks,
    faults_filters,
    faults_places,
    faults_reads,
    faults_scans,
    faults_scores,
    faults_texts,
    faults_trees,
    faults_writes,
)
from tests.mutants.registry import FAULTS

__all__ = [
    "FAULTS",
    "faults_checks",
    "faults_filters",
    "faults_places",
    "faults_reads",
    "faults_scans",
    "faults_scores",
    "faults_texts",
    "faults_trees",
    "faults_writes",
]
