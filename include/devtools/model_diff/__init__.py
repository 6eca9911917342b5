"""What a change of the dbt project does to the marts, before it lands: ``make ci-changed``."""
