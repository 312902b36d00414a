"""`python -m cli TASK…`: what ./run and the `invoke` of its virtualenv start."""

from cli.program import main

main()
