"""Where the demo speaks."""

from rich.console import Console

__all__ = ["say"]

say = Console()
