"""`python -m db migrate`: brings the database up to date."""

import asyncio
import sys
from typing import Annotated

from pydantic import Field
from sqlalchemy.exc import DBAPIError

from db.migrate import RolesError, migrate
from db.price_book import PriceBookError
from kit.settings import ProcessSettings, SettingsError, load_settings, refuse_to_start


class MigrationSettings(ProcessSettings):
    """What the migration needs."""

    database_owner_url: Annotated[str, Field(min_length=1)]
    database_url: Annotated[str, Field(min_length=1)]


def main() -> int:
    """Run the command. Returns the process's exit code."""
    if sys.argv[1:] != ["migrate"]:
        sys.stderr.write("usage: python -m db migrate\n")
        return 2
    try:
        settings = load_settings(MigrationSettings)
    except SettingsError as error:
        refuse_to_start("db migrate", error)
    try:
        asyncio.run(migrate(settings.database_owner_url, settings.database_url))
    except (RolesError, PriceBookError, DBAPIError, OSError) as error:
        sys.stderr.write(f"db migrate failed: {error}\n")
        return 1
    print("the database is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
