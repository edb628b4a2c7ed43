"""`python -m mortis` is `mortis`."""

from mortis.cli import main

if __name__ == "__main__":
    main()
