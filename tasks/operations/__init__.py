"""Operation of models: daily forecast, monitoring, promotion, registry and tuning."""
