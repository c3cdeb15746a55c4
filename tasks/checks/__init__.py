"""Checks of the audit.

A check is one small object in ``CHECKS`` of its phase, ``tasks/checks/data.py`` (gates ``train``) or
``tasks/checks/forecasts.py`` (gates ``register``). Add one there, and the stage, the gate, the model card and
the report show it.
"""
