"""`python -m lanes`: the command `lanes`."""

import sys

from lanes.cli import main

sys.exit(main())
