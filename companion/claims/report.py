"""What the report on one page says of all committed rows."""

import json

from companion.claims import claim
from emargin.paths import home


@claim("All committed cells took {hours} hours by their records, each on one core")
def cost_of_the_rows():
    files = sorted((home() / "results").glob("*/provenance.json"))
    records = [record for file in files for record in json.loads(file.read_text(encoding="utf-8")).values()]
    return {"hours": f"{sum(sum(record.get('seconds', {}).values()) for record in records) / 3600:.0f}"}
