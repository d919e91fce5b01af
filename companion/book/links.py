"""Links of a book to its repository, where the environment says which it is by GITHUB_REPOSITORY, as workflows do.

    python -m companion.book.links _build/source/_config.yml

Pages that are notebooks have buttons that open them on Binder and Colab, too, and a book that GitHub publishes has a
sitemap and a card with a picture. Without a repository the file stays as it is, and the book has none of these.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from companion.book.colab import BRANCH, repository

LAUNCH = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}
CARD = "_static/figures/fig-dial.png"  # the picture of a link to the book, which pictures.py makes


def with_links(config: dict, environment: Mapping[str, str]) -> dict:
    """Return a book's configuration with links to the repository that the environment names, if it names one."""
    url = repository(environment)
    if not url:
        return config
    linked = config.get("repository", {}) | {"url": url, "branch": BRANCH}
    buttons = {"use_repository_button": True, "use_issues_button": True}
    config = config | {"repository": linked, "launch_buttons": LAUNCH, "html": config.get("html", {}) | buttons}
    return published(config, site_of(url))


def site_of(repository: str) -> str:
    """Return where GitHub publishes a repository's pages, empty for one that is elsewhere."""
    host, (owner, name) = urlsplit(repository).netloc, urlsplit(repository).path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/" if host == "github.com" else ""


def published(config: dict, site: str) -> dict:
    """Return a book's configuration with what needs its address: sitemap, links of the missing page, picture."""
    if not site:
        return config
    sphinx = config.get("sphinx", {})
    of_address = {
        "html_baseurl": site,
        "notfound_urls_prefix": urlsplit(site).path,
        "ogp_site_url": site,
        "ogp_image": f"{site}{CARD}",
        "sitemap_url_scheme": "{link}",
    }
    extensions = [*sphinx.get("extra_extensions", []), "sphinx_sitemap"]
    return config | {
        "sphinx": sphinx | {"extra_extensions": extensions, "config": sphinx.get("config", {}) | of_address}
    }


def main(path: Path) -> None:
    """Put the links into a configuration file."""
    config = yaml.safe_load(path.read_text(encoding="utf8"))
    linked = with_links(config, os.environ)
    if linked != config:
        path.write_text(yaml.safe_dump(linked, allow_unicode=True, sort_keys=False), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
