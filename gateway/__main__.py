"""`python -m gateway`: the same as `sunbeon`."""

from gateway.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
