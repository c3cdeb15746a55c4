"""Figures of the forecasts."""
