"""An in-memory twin of the database: the same promises, the same failures, no input or output."""

from proofs.simulation.storage.conditions import CALM, CommitFate, Conditions
from proofs.simulation.storage.database import ConstraintViolationError, Database
from proofs.simulation.storage.unit import Unit
from proofs.simulation.storage.work import TwinStorage, TwinWork

__all__ = [
    "CALM",
    "CommitFate",
    "Conditions",
    "ConstraintViolationError",
    "Database",
    "TwinStorage",
    "TwinWork",
    "Unit",
]
