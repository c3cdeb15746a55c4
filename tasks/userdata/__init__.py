"""Forecasts, alarms, audits and validation of a user's own file."""
