"""Links of a book to its repository, where the environment says which it is by GITHUB_REPOSITORY, as workflows do.

    python -m companion.book.links _build/source/_config.yml

Pages that are notebooks have buttons that open them on Binder and Colab, too. Without a repository the file stays as it
is, and the book has none of these.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from companion.book.colab import BRANCH, repository

LAUNCH = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


def with_links(config: dict, environment: Mapping[str, str]) -> dict:
    """Return a book's configuration with links to the repository that the environment names, if it names one."""
    url = repository(environment)
    if not url:
        return config
    linked = config.get("repository", {}) | {"url": url, "branch": BRANCH}
    buttons = {"use_repository_button": True, "use_issues_button": True}
    return config | {"repository": linked, "launch_buttons": LAUNCH, "html": config.get("html", {}) | buttons}


def main(path: Path) -> None:
    """Put the links into a configuration file."""
    config = yaml.safe_load(path.read_text(encoding="utf8"))
    linked = with_links(config, os.environ)
    if linked != config:
        path.write_text(yaml.safe_dump(linked, allow_unicode=True, sort_keys=False), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
