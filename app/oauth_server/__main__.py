"""`python -m oauth_server`."""

import sys

from oauth_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
