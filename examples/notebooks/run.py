"""Runs notebooks cell by cell, without Jupyter, and writes into them what their cells show.

    python examples/notebooks/run.py                     # all of this folder
"""

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
Json = dict[str, Any]


def main() -> None:
    """Run all notebooks."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        with contextlib.chdir(FOLDER):  # as Jupyter has it
            ran = json.dumps(run(notebook), indent=1, ensure_ascii=False)
        path.write_text(ran + "\n", encoding="utf-8")
        print(path.name)


def run(notebook: Json) -> Json:
    """The notebook with the outputs of this run in place of those that it has."""
    namespace: Json = {}
    count = 0
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell = {**cell, "execution_count": count, "outputs": outputs("".join(cell["source"]), count, namespace)}
        cells.append(cell)
    return {**notebook, "cells": cells}


def outputs(source: str, count: int, namespace: Json) -> list[Json]:
    """What a cell prints, and how its last expression shows itself."""
    tree = ast.parse(source, f"cell {count}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, f"cell {count}", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {count}", "eval"), namespace)
    shown: list[Json] = []
    if printed.getvalue():
        shown.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        shown.append({"data": data, "execution_count": count, "metadata": {}, "output_type": "execute_result"})
    return shown


def lines(text: str) -> list[str]:
    """As notebooks keep texts."""
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    main()
