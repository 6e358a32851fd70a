"""Runs of the pipeline, from a version of the lake to a promoted bundle.

Nouns: a **stage** (a function that fills a folder, named by the hash of all that it depends on), a **run** (stages in
their order, and the record of how they ended), a **lease** (who may run now), a **trigger** (why a run is due).

    snapshot -> train -> measure -> publish -> judge -> promote

A finished stage is never repeated: killed anywhere, a run goes on at the first stage that was not finished.
"""
