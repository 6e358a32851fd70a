"""Models of FATE 1.x: real files, and files made by hand."""
