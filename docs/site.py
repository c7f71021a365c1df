"""The documentation as web pages: the guides, and every public name with its docstring.

The package must be installed, and pdoc (`cargo xtask docs` sees to both). Modules for other frameworks that are not installed are left
out, by name.

    python docs/site.py out/
"""

import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import pdoc.doc
import pdoc.doc_pyi
import pdoc.render
import proxime

GUIDES = Path(__file__).parent / "guide"
TEMPLATES = Path(__file__).parent / "templates"
# In the order in which they are read; whatever else there is comes after.
READ_FIRST = ("getting-started", "filters", "tuning", "codecs", "durability", "shards", "moving")
# Of the names in the package; exceptions come last.
NAMED_FIRST = ("open", "Database", "Collection", "Hits")
LINK = re.compile(r"\]\(([\w-]+)\.md\)")


def main() -> None:
    """Write the pages to the folder that the command line names."""
    (folder,) = map(Path, sys.argv[1:])
    # Signatures are shown as `help` has them; pdoc would run the stubs, which only type checkers can read.
    pdoc.doc_pyi.find_stub_file = lambda _: None
    modules = {module.fullname: module for module in [*guides(), *package()]}
    pdoc.render.configure(
        docformat="markdown", search=True, show_source=False, footer_text=f"Proxime {proxime.__version__}", template_directory=TEMPLATES
    )
    for module in modules.values():
        page = (folder / module.fullname.replace(".", "/")).with_suffix(".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(pdoc.render.html_module(module=module, all_modules=modules), encoding="utf-8")
    (folder / "index.html").write_text(pdoc.render.html_index(modules), encoding="utf-8")
    (folder / "search.js").write_text(pdoc.render.search_index(modules), encoding="utf-8")
    print(f"{len(modules)} pages: {folder / 'index.html'}")


def guides() -> list[pdoc.doc.Module]:
    """Each guide as a module without anything but its text."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in GUIDES.glob("*.md")}
    order = [*READ_FIRST, *sorted(texts.keys() - set(READ_FIRST))]
    return [pdoc.doc.Module(ModuleType(name, LINK.sub(r"](\1.html)", texts[name]))) for name in order]


def package() -> list[pdoc.doc.Module]:
    """The package and its public modules, but for that of the exceptions, which are in the package, too."""
    proxime.__all__.sort(key=place)
    modules = [proxime]
    for module in pkgutil.iter_modules(proxime.__path__, "proxime."):
        if not module.name.startswith("proxime._") and module.name != "proxime.exceptions":
            try:
                modules.append(importlib.import_module(module.name))
            except ImportError as error:
                print(f"left out {module.name}: {error}")
    return [pdoc.doc.Module(module) for module in modules]


def place(name: str) -> int:
    """Where a name stands in the page of the package."""
    if name in NAMED_FIRST:
        return NAMED_FIRST.index(name)
    thing = getattr(proxime, name)
    is_exception = isinstance(thing, type) and issubclass(thing, Exception)
    return len(NAMED_FIRST) + is_exception + (is_exception and thing is not proxime.Error)


if __name__ == "__main__":
    main()
