"""House rules for a dbt project: each says what breaks it, and the remedy."""

from tests.project.rules import by_changes, data_tests, models, personal
from tests.project.rules.project import Project, Rule

RULES: tuple[Rule, ...] = (
    *models.RULES,
    *by_changes.RULES,
    *data_tests.RULES,
    *personal.RULES,
)

__all__ = ["RULES", "Project", "Rule"]
