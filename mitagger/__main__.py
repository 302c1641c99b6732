"""The command `mitagger`, and `python -m mitagger`."""


def main() -> None:
    # Imported late: worker processes import this module, and need nothing of the command line.
    from mitagger.cli.app import app  # noqa: PLC0415

    app()


if __name__ == "__main__":
    main()
