"""Pages that are made when the site is built, so that they cannot be old; and links that leave the pages' folder."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import commands
import grpc_pages
import python_page
import rest_page
import settings_page

ROOT = Path(__file__).resolve().parents[2]
TREE = "https://github.com/ascribe/ascribe/blob/main/"
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")
MADE = {
    "reference/commands.md": commands.page,
    "reference/settings.md": settings_page.page,
    "reference/rest.md": rest_page.page,
    "reference/grpc.md": grpc_pages.page,
    "reference/python.md": python_page.page,
    "reference/changes.md": lambda: (ROOT / "CHANGELOG.md").read_text(),
}


def on_files(files: Any, config: Any) -> Any:
    for path, page in MADE.items():
        files.append(File.generated(config, path, content=page()))
    return files


def on_page_markdown(text: str, page: Any, config: Any, files: Any) -> str:
    """A link to a file of the repository that is no page leads to the repository."""
    folder = Path(config["docs_dir"]) / Path(page.file.src_uri).parent
    start = ROOT if page.file.src_uri == "reference/changes.md" else folder

    def led(match: re.Match[str]) -> str:
        target = (start / match[2]).resolve()
        inside = target.is_relative_to(config["docs_dir"]) and target.is_file() and start == folder
        if inside or not target.exists():
            return match[0]
        if target.is_relative_to(config["docs_dir"]) and target.suffix == ".md":
            return f"{match[1]}../{target.relative_to(config['docs_dir'])}{match[3]}"
        return f"{match[1]}{TREE}{target.relative_to(ROOT)}{match[3]}"

    return LINK.sub(led, text)
