"""`python -m quotad.cli`, for a process that must find this very program."""

from quotad.cli import main

main()
