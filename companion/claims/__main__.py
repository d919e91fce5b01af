"""Say which sentences of the pages no longer agree with the rows, or fill them in."""

import argparse
import sys

from companion.claims import Fallen, claims, fill, page_of, prose


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 if a sentence does not agree with the rows and is not mended."""
    parser = argparse.ArgumentParser(prog="python -m companion.claims", description=__doc__)
    parser.add_argument("--fill", action="store_true", help="write the numbers of the rows into the pages")
    parser.add_argument("pages", nargs="*", help="names of pages; all by default")
    given = parser.parse_args(arguments)
    wrong = 0
    for one in claims():
        if given.pages and one.page not in given.pages:
            continue
        page = page_of(one.page)
        try:
            if given.fill:
                if fill(page, one):
                    print(f"{one}: filled")
            elif (there := list(one.found(prose(page)).groups())) != (now := one.now()):
                print(f"{one}: the page has {there}, the rows have {now}")
                wrong += 1
        except Fallen as fallen:
            print(f"{one}: does not hold: {fallen}")
            wrong += 1
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
