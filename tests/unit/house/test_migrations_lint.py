"""The lint of migrations: this checkout passes, and a dangerous or misnamed migration does not."""

from pathlib import Path

import pytest

from tools.lint import migrations
from tools.lint.tree import ROOT

NEW_TABLE = """
CREATE TABLE {schema}.offers(offer_id uuid PRIMARY KEY, version integer NOT NULL);
CREATE INDEX offers_version ON {schema}.offers(version);
ALTER TABLE {schema}.offers OWNER TO {owner};
GRANT SELECT ON {schema}.offers TO {app}, {loop};
"""


def found(root: Path, **texts: str) -> list[str]:
    folder = root / "services" / "intake" / "migrations"
    folder.mkdir(parents=True)
    for stem, text in texts.items():
        (folder / f"{stem}.sql").write_text(text)
    return list(migrations.check(root))


def test_the_migrations_of_this_checkout_are_safe() -> None:
    assert list(migrations.check(ROOT)) == []


def test_a_new_table_with_all_placeholders_passes(tmp_path: Path) -> None:
    assert found(tmp_path, n0001="") != []
    assert found(tmp_path / "clean", **{"0001_pre_offers": NEW_TABLE}) == []


def test_a_checkout_without_migrations_passes(tmp_path: Path) -> None:
    assert list(migrations.check(tmp_path)) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE {schema}.cases DROP COLUMN unit;", "ban-drop-column"),
        ("ALTER TABLE {schema}.cases RENAME COLUMN unit TO post;", "renaming-column"),
        ("ALTER TABLE {schema}.cases ADD COLUMN unit text NOT NULL;", "adding-required-field"),
        ("CREATE INDEX cases_unit ON {schema}.cases(unit);", "require-concurrent-index-creation"),
        ("CREATE TABLE {schema}.notes(at timestamp);", "prefer-timestamp-tz"),
        ("CREATE TABLE {unknown}.notes(at timestamptz);", "syntax-error"),
    ],
)
def test_a_statement_that_could_hurt_a_running_region_is_named(tmp_path: Path, statement: str, rule: str) -> None:
    assert rule in "\n".join(found(tmp_path, **{"0001_pre_notes": statement}))


@pytest.mark.parametrize("stem", ["1_pre_notes", "0001_notes", "0001_pre_Notes", "0001_during_notes"])
def test_a_migration_says_its_number_and_when_it_runs(tmp_path: Path, stem: str) -> None:
    assert "the name must be" in found(tmp_path, **{stem: "SELECT 1;"})[0]


def test_two_migrations_cannot_have_one_number(tmp_path: Path) -> None:
    assert "has the same number" in found(tmp_path, **{"0001_pre_a": "SELECT 1;", "0001_post_b": "SELECT 1;"})[0]
