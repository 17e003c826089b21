"""What the site needs beyond the pages: links to files that are no pages lead to the repository."""

import glob
import html
import os
import re

import yaml

LINK = re.compile(r"\]\(([^()\s#]+)(#[^()\s]*)?\)")
FENCE = re.compile(r"(?ms)(^ *```.*?^ *```)")


DIAGRAM = re.compile(r'(?s)(<pre class="mermaid">.*?</pre>)')

MENU = os.path.join(os.path.dirname(os.path.abspath(__file__)), "menu.yaml")


def on_config(config):
    """Puts the pages into the menu, under their first headings, and the version into the title.

    Pages of a release that this menu does not have come last.
    """
    pages = sorted(glob.glob("**/*.md", root_dir=config.docs_dir, recursive=True))

    def titled(path):
        with open(os.path.join(config.docs_dir, path), encoding="utf-8") as f:
            heading = next((line[2:].strip() for line in f if line.startswith("# ")), path)
        return {re.sub(r"[`*]", "", heading): path}

    with open(MENU, encoding="utf-8") as f:
        menu = yaml.safe_load(f)
    listed = {p for group in menu.values() for p in group}
    others = [p for p in pages if p not in listed]
    groups = {name: [p for p in group if p in pages] for name, group in menu.items()}
    groups["Other pages"] = others
    config.nav = [{name: [titled(p) for p in group]} for name, group in groups.items() if group]
    config.site_name = f"Codegrant {os.environ['CODEGRANT_SITE_VERSION']}"
    return config


def on_page_markdown(markdown, page, config, files):
    here = os.path.dirname(page.file.src_uri)

    def rewritten(match):
        target = match.group(1)
        if "://" in target or target.startswith("mailto:"):
            return match.group(0)
        path = os.path.normpath(os.path.join(here, target))
        if files.get_file_from_path(path) is not None:
            return match.group(0)
        return f"]({config.repo_url}/blob/main/{path}{match.group(2) or ''})"

    parts = FENCE.split(markdown)
    return "".join(part if i % 2 else LINK.sub(rewritten, part) for i, part in enumerate(parts))


def on_page_content(content, page, config, files):
    """Gives each diagram a frame, in which it scrolls."""
    return DIAGRAM.sub(r'<div class="diagram">\1</div>', content)


def on_post_page(output, page, config):
    """Leads from a page to the other versions: plain links, so that it works from files."""
    this = os.environ["CODEGRANT_SITE_VERSION"]
    versions = os.environ.get("CODEGRANT_SITE_VERSIONS", "").split()
    if len(versions) < 2:
        return output
    up = "../" * page.file.dest_uri.count("/")
    top = up if this == versions[0] else up + "../"

    def link(i, version):
        name = html.escape(version)
        if version == this:
            return f"<li><strong>{name}</strong></li>"
        return f'<li><a href="{top}{"" if i == 0 else name + "/"}index.html">{name}</a></li>'

    links = "".join(link(i, v) for i, v in enumerate(versions))
    menu = f'<details class="versions"><summary>{html.escape(this)}</summary><ul>{links}</ul></details>'
    style = "<style>.versions{float:right;margin:0 0 0 1rem;font-size:.7rem}.versions summary{cursor:pointer}</style>"
    article = '<article class="md-content__inner md-typeset">'
    return output.replace(article, f'{article}{style}<nav aria-label="Versions">{menu}</nav>', 1)
