"""Model families: one file each, and a row in `train/power_families.py` or `train/forecasting/families.py`. Families do
not import one another.
"""
