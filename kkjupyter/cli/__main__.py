"""``python -m kkjupyter.cli``: the same as the ``kkjupyter`` command."""

import sys

from kkjupyter.cli import main

sys.exit(main())
