"""What runs beside an engine; today the model downloads."""
