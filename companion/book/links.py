"""Links of a book to its repository, where the environment says which it is by GITHUB_REPOSITORY, as workflows do.

    python -m companion.book.links _build/source/_config.yml

Without it the file stays as it is, and the book has no such links.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml


def with_links(config: dict, environment: Mapping[str, str]) -> dict:
    """Return a book's configuration with links to the repository that the environment names, if it names one."""
    name, server = environment.get("GITHUB_REPOSITORY"), environment.get("GITHUB_SERVER_URL")
    if not name or not server:
        return config
    repository = {"url": f"{server}/{name}", "branch": environment.get("GITHUB_REF_NAME") or "main"}
    buttons = {"use_repository_button": True, "use_issues_button": True}
    return config | {"repository": config.get("repository", {}) | repository, "html": config.get("html", {}) | buttons}


def main(path: Path) -> None:
    """Put the links into a configuration file."""
    config = yaml.safe_load(path.read_text(encoding="utf8"))
    linked = with_links(config, os.environ)
    if linked != config:
        path.write_text(yaml.safe_dump(linked, allow_unicode=True, sort_keys=False), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
