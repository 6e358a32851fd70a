"""A party's half of a model as a bundle."""
