"""Prints the table of addresses after a development start."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def print_banner(console: Console, title: str, rows: Mapping[str, str], footer: str) -> None:
    """Print the table, as plain aligned text unless the output is a terminal."""
    if not console.is_terminal:
        width = max(len(name) for name in rows)
        lines = [title, *(f"  {name:<{width}}  {value}" for name, value in rows.items()), footer]
        console.file.write("\n" + "\n".join(lines) + "\n")
        console.file.flush()
        return
    table = Table(title=title, caption=footer, show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    console.print()
    console.print(table)
