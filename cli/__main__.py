"""`python -m cli` is the `hexavox` command."""

from cli.main import main

main()
