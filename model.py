"""goodparts from a checkout: ``python model.py --train``, ``python model.py --predict image.png``."""

import sys

from anomaly.cli import main

if __name__ == "__main__":
    sys.exit(main())
