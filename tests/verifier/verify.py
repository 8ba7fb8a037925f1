#!/usr/bin/env python3
"""A second verifier: it follows docs/protocol.md and shares no code with the program.

    verify.py vectors docs/protocol.md
    verify.py archive FILE [--anchor HEX]

Prints what is wrong in words. Exit code: 0 nothing is wrong, 2 no archive or no vectors, 5 wrong.
Needs Debian's python3-cryptography and python3-zstandard.
"""

import argparse
import sys

import archive
import vectors


def main():
    parser = argparse.ArgumentParser(description="Checks what docs/protocol.md states.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("vectors").add_argument("document")
    checked = commands.add_parser("archive")
    checked.add_argument("file")
    checked.add_argument("--anchor")
    asked = parser.parse_args()
    try:
        if asked.command == "vectors":
            problems, notes = vectors.check(asked.document)
        else:
            problems, notes = archive.check(asked.file, asked.anchor)
    except (OSError, archive.NoArchive, vectors.NoVectors) as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 2
    for note in notes:
        print(f"note: {note}")
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"{len(problems)} problems" if problems else "nothing is wrong")
    return 5 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
