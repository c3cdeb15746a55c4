"""Checks of the audit.

There are two lists ``CHECKS``. The checks in ``tasks/checks/data.py`` must pass before the stage ``train``,
and those in ``tasks/checks/forecasts.py`` before the stage ``register``. A check that is added to a list is
run by the audit and is shown in the report and on the model card.
"""
