"""Models in use: the daily forecast, the monitor, promotion, the registry, tuning."""
