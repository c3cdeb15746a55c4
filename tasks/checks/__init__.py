"""Checks of the audit.

Each phase has a list ``CHECKS``: ``tasks/checks/data.py`` (gates ``train``) and ``tasks/checks/forecasts.py``
(gates ``register``). A check that is added to a list is run by the stage, and shown in the report and on the
model card.
"""
