"""``python -m microgradient`` is the command ``microgradient``."""

import sys

from microgradient.cli import main

sys.exit(main())
