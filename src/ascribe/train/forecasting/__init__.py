"""Forecasts of traffic: from a series to a bundle whose row is a window.

`fitted` is what a family gives, `network` and its parts the recurrent network, `bundle` what is written, `train` the
whole walk. May import core, bundle and the rest of `train`.
"""
