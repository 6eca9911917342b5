"""Whatever is wrong with a file of people: no log line, error, warning or reason tells who."""

from __future__ import annotations

import gzip
import logging
import traceback
from dataclasses import replace

import pytest

from elt.errors import SourceError

from .conftest import PEOPLE, Shop

# in every personal value, and in what stands where a personal value might
SECRET = "xylophone"
HEADER = "person_id,email,age,updated_at\n"
GOOD = f"1,{SECRET}1@example.com,1,2021-01-01\n2,{SECRET}2@example.com,2,2021-01-02\n"
LOOSE = replace(PEOPLE, max_bad_share=1)
LONG = SECRET * 1000

FILES = {
    "wrong type in a personal column": HEADER + GOOD + f"3,a@example.com,{SECRET},2021-01-01\n",
    "wrong type beside a personal column": HEADER + GOOD + f"3,{SECRET},3,never\n",
    "out of range": HEADER + GOOD + f"3,{SECRET},99999999999999,2021-01-01\n",
    "no key": HEADER + GOOD + f",{SECRET},3,2021-01-01\n",
    "too few fields": HEADER + GOOD + f"3,{SECRET}\n",
    "too many fields": HEADER + GOOD + f"3,{SECRET},3,2021-01-01,{SECRET}\n",
    "a field too many before the key": HEADER + GOOD + f"{SECRET},3,{SECRET},3,2021-01-01\n",
    "a quote never closed": HEADER + GOOD + f'3,"{SECRET},3,2021-01-01\n' + GOOD * 3,
    "a stray quote": HEADER + GOOD + f'3,{SECRET}"x,3,2021-01-01\n4,{SECRET}"y,4,2021-01-01\n',
    "not UTF-8": (HEADER + GOOD + f"3,{SECRET}é,3,2021-01-01\n").encode("latin-1"),
    "a zero byte": HEADER + GOOD + f"3,{SECRET}\0,3,2021-01-01\n",
    "an end marker": HEADER + GOOD + "\\.\n" + GOOD,
    "mixed line ends": HEADER + GOOD + f"3,{SECRET},3,2021-01-01\r\n4,{SECRET}\r,4,2021-01-01\n",
    "a key twice": HEADER + GOOD + GOOD,
    "a personal value as the key, twice": HEADER + f"{SECRET},a,1,2021-01-01\n" * 2,
    "a key too long": HEADER + GOOD + f"{LONG},a@example.com,3,2021-01-01\n",
    "no header": GOOD,
    "another header": f"{SECRET},who\n" + GOOD,
    "an unknown column of people": HEADER.replace("\n", ",notes\n")
    + f"1,a,1,2021-01-01,{SECRET}\n",
    "a missing column": f"person_id,email,updated_at\n1,{SECRET},2021-01-01\n",
    "semicolons": (HEADER + GOOD).replace(",", ";"),
    "json": f'[{{"email": "{SECRET}"}}]',
    "utf-16": (HEADER + GOOD).encode("utf-16"),
    "damaged gzip": gzip.compress((HEADER + GOOD * 999).encode())[:60],
}


def told(shop: Shop, caplog: pytest.LogCaptureFixture, error: BaseException | None) -> str:
    """Return all that may leave the warehouse about the loads so far."""
    kept = shop.rows(
        "select string_agg(concat_ws(' ', error, source_file), ' ') from ops.load"
        " union all select string_agg(concat_ws(' ', kind, detail, message), ' ')"
        " from ops.load_warning"
        " union all select string_agg(concat_ws(' ', reason, column_name), ' ') from ops.quarantine"
    )
    # a chained error of the server would quote its data in the log of the task
    raised = "".join(traceback.format_exception(error)) if error else ""
    return " ".join([caplog.text, raised, *(text or "" for (text,) in kept)])


@pytest.mark.parametrize("fault", FILES)
def test_nothing_personal_is_told_of_a_file(shop: Shop, caplog, fault):
    """Neither by a first load nor by a later one, refused or in quarantine."""
    caplog.set_level(logging.DEBUG)
    extension = "csv.gz" if fault == "damaged gzip" else "csv"
    refusing = [replace(LOOSE, on_bad_row="stop"), replace(PEOPLE, max_bad_share=0)]
    for number, table in enumerate([*refusing, LOOSE, *refusing, LOOSE]):
        file = shop.write(f"people/{number}.{extension}", FILES[fault])
        error = None
        try:
            shop.load(table)
        except SourceError as refused:
            error = refused
        file.unlink()
        text = told(shop, caplog, error)
        assert f"people/{number}." in text
        assert SECRET not in text.lower()
        if number == 2:
            other = shop.write("people/other.csv", HEADER + GOOD)
            shop.load(table, confirm_shrunk=["people"])
            other.unlink()


def test_the_check_itself_finds_what_a_server_says(shop: Shop, caplog):
    """Else the test above would prove nothing."""
    with pytest.raises(Exception, match="invalid input syntax") as caught:
        shop.rows(f"select '{SECRET}'::integer")
    assert SECRET in told(shop, caplog, caught.value)
    logging.getLogger("include").error(SECRET)
    assert SECRET in told(shop, caplog, None)
