"""`python -m tunegate` is the command `tunegate`."""

from tunegate.cli import main

raise SystemExit(main())
