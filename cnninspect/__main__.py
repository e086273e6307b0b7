"""`python -m cnninspect`."""

from cnninspect.cli.app import main

main()
