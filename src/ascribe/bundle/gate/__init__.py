"""The gate: may a version go to production?"""
