"""The dbt project on which the product is tried."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2] / "dbt" / "greenery"
