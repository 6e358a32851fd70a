"""Adapters: models of other libraries, read into what Ascribe serves. One file a library and format."""
