"""Makes `python -m cli` the `hexavox` command."""

from cli.main import main

main()
