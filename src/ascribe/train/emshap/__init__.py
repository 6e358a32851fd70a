"""EmSHAP and the laws beside it: how hidden features are distributed, given those that are seen."""
