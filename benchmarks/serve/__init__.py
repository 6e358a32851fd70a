"""The service under load: both doors, every tier, beside the bare call in process and other Python servers."""
